'use strict';
// Loaded before everything else (node -r): connections to Steam's hosts go to the simulator's TLS port on this machine, and every
// other host that isn't this machine is refused. The libraries under test stay unmodified.
const net = require('net');

const TLS_PORT = Number(process.env.STEAM_TLS_PORT);
const STEAM = /(^|\.)(steamcommunity\.com|steampowered\.com|steam\.tv|steamstatic\.com)$/;
const HERE = new Set(['127.0.0.1', 'localhost', '::1']);

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (options && typeof options === 'object' && !options.path) {
    const host = options.host || 'localhost';
    if (STEAM.test(host)) {
      options.host = '127.0.0.1';
      options.port = TLS_PORT;
    } else if (!HERE.has(host)) {
      throw new Error(`refused: a connection to ${host}`);
    }
  }
  return connect.apply(this, args);
};
