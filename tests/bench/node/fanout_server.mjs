// Node's Socket.IO with every client in one room, and an Express route: node fanout_server.mjs
// Prints its port; for each line "MESSAGES" on stdin emits so many.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import express from 'express';
import { Server } from 'socket.io';

const STATUS = {
  success: true, running: true, isRunning: true, isConnected: true, connected: true,
  lastUpdate: '2026-11-24T12:00:00Z', ssid: null, accountType: 'demo', balance: 10000.5,
  userId: '01890a5d-ac96-774b-bcce-b302099a8057', status: 'running',
};
const app = express();
app.get('/api/bot/status', (request, response) => { response.json(STATUS); });
const http = createServer(app);
const io = new Server(http, { perMessageDeflate: false });
io.on('connection', (socket) => { socket.join('all'); });
http.listen(0, '127.0.0.1', () => { console.log(http.address().port); });

for await (const line of createInterface({ input: process.stdin })) {
  for (let number = 0; number < Number(line); number += 1) {
    io.to('all').emit('candle-update', {
      time: 1790000100 + number, open: 1.08417, high: 1.08419, low: 1.08409, close: 1.08412, volume: 0, at: Date.now(),
    });
    await new Promise(setImmediate);
  }
}
process.exit(0);
