// Requests over kept connections: node load.mjs PORT PATH REQUESTS CONNECTIONS [TOKEN]
// Prints requests per second. Bare sockets: what counts is the server, not an HTTP client.
import { connect } from 'node:net';

const [port, path, total, connections, token] = process.argv.slice(2);
const authorization = token ? `Authorization: Bearer ${token}\r\n` : '';
const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${authorization}\r\n`;
let left = Number(total);
let answered = 0;
const since = performance.now();

for (let made = 0; made < Number(connections); made += 1) {
  const socket = connect(Number(port), '127.0.0.1');
  socket.setNoDelay(true);
  socket.on('connect', ask);
  socket.on('data', (data) => {
    if (!data.toString('latin1', 0, 12).endsWith('200')) {
      console.error(data.toString());
      process.exit(1);
    }
    answered += 1;
    if (answered === Number(total)) {
      console.log(answered / ((performance.now() - since) / 1000));
      process.exit(0);
    }
    ask();
  });
  function ask() {
    if (left > 0) { left -= 1; socket.write(request); }
  }
}
