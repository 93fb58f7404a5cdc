// Many Socket.IO clients in one process, as bare WebSockets: node receiver.mjs PORT SOCKETS
// Prints "ready" when all have connected; then for each line N on stdin, once every socket has heard N messages more,
// a line of JSON: seconds since the line came, and percentiles of the ages that messages carry in `at` (epoch ms).
import { createInterface } from 'node:readline';
import WebSocket from 'ws';

const [port, count] = process.argv.slice(2).map(Number);
let heard = 0;
let wanted = Infinity;
let since = 0;
let ages = [];

function open() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
    socket.on('error', reject);
    socket.on('message', (data) => {
      const kind = data[0] === 52 ? data[1] : 0; // '4'
      if (kind === 50) { // '2': an event
        note(data);
      } else if (data[0] === 48) { // '0': opened
        socket.send('40');
      } else if (data[0] === 50) { // '2': ping
        socket.send('3');
      } else if (kind === 48) { // '0': connected
        resolve(socket);
      }
    });
  });
}

function note(data) {
  heard += 1;
  if (heard % 97 === 0) {
    const text = data.toString();
    const place = text.indexOf('"at":');
    if (place > 0) { ages.push(Date.now() - Number.parseFloat(text.slice(place + 5))); }
  }
  if (heard >= wanted) {
    ages.sort((one, other) => one - other);
    const at = (part) => ages[Math.min(ages.length - 1, Math.floor(ages.length * part))] ?? 0;
    console.log(JSON.stringify({ seconds: (performance.now() - since) / 1000, p50: at(0.5), p99: at(0.99) }));
    wanted = Infinity;
  }
}

const sockets = [];
for (let made = 0; made < count; made += 50) {
  sockets.push(...await Promise.all(Array.from({ length: Math.min(50, count - made) }, open)));
}
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  ages = [];
  since = performance.now();
  wanted = heard + Number(line) ;
  console.log('waiting');
}
process.exit(0);
