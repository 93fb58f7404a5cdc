// The client library of browsers: subscribes to candles and prints every event as one line of JSON.
// Told by the environment: EDGE_URL, TOKEN, ASSET, TIMEFRAME. Ends when its standard input does.
import { io } from "socket.io-client";

const { EDGE_URL, TOKEN, ASSET, TIMEFRAME } = process.env;
const socket = io(EDGE_URL, { auth: { token: TOKEN }, transports: ["websocket", "polling"], reconnection: false });
const say = (event, data) => process.stdout.write(`${JSON.stringify({ event, data })}\n`);

socket.onAny(say);
socket.on("connect", () => {
  say("connect", {});
  socket.emit("subscribe-candles", { asset: ASSET, timeframe: Number(TIMEFRAME), strategy: "hybrid" });
});
socket.on("connect_error", (error) => say("connect_error", { message: error.message, data: error.data ?? null }));
process.stdin.resume();
process.stdin.on("end", () => socket.disconnect());
