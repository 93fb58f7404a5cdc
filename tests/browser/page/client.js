// Behaves as the original trading client does (api-contract §2.1): it logs in at Supabase, and of its own requests only
// those through `api` carry a token, if there is one under a key that it never writes itself.
'use strict';

const seen = { candles: 0, events: [], refused: null };
let socket = null;

async function signUp(url, key, email, password, brokerUserId) {
  window.supabaseClient = supabase.createClient(url, key);
  const options = { data: { avalon_user_id: brokerUserId } };
  const { error } = await window.supabaseClient.auth.signUp({ email, password, options });
  return error ? error.message : null;
}

async function logIn(email, password) {
  const { error } = await window.supabaseClient.auth.signInWithPassword({ email, password });
  return error ? error.message : null;
}

async function logOut() {
  await window.supabaseClient.auth.signOut();
}

async function api(method, path, body) {
  const token = localStorage.getItem('sb-access-token');
  const headers = { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(path, { method, headers, body: body ? JSON.stringify(body) : undefined });
  return { status: response.status, body: await response.json() };
}

async function bare(path) {
  const response = await fetch(path);
  return { status: response.status, body: await response.json() };
}

function open(transports) {
  socket = io({ transports, reconnection: false });
  socket.on('connect_error', (error) => { seen.refused = error.message; });
  socket.on('candle-update', () => { seen.candles += 1; });
  socket.onAny((name, data) => { if (name !== 'candle-update') { seen.events.push([name, data]); } });
  return new Promise((resolve) => {
    socket.on('connect', () => resolve(socket.io.engine.transport.name));
    socket.on('connect_error', () => resolve(null));
  });
}
