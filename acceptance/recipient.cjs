'use strict';
// A VIP with steam-tradeoffer-manager, unmodified, is handed over what a whole market bought for them (selldesk sandbox).
const assert = require('assert');
const { randomUUID } = require('crypto');
const fs = require('fs');
const http = require('http');
const SteamCommunity = require('steamcommunity');
const SteamTotp = require('steam-totp');
const TradeOfferManager = require('steam-tradeoffer-manager');
const { LoginSession, EAuthTokenPlatformType } = require('steam-session');

const sandbox = JSON.parse(fs.readFileSync(process.env.SANDBOX_JSON, 'utf8'));
const State = TradeOfferManager.ETradeOfferState;
const GAME = 570;
const PATIENCE_MS = 30_000;
let steps = 0;

function step(what) {
  steps += 1;
  console.log(`  ${String(steps).padStart(2)} ${what}`);
}

function ask(method, url, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers: { 'content-type': 'application/json', ...headers } }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, body: text === '' ? null : JSON.parse(text) }));
    });
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function market(person, method, path, body) {
  const answer = await ask(method, sandbox.base_url + path, body, { 'x-api-key': person.api_key });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body.data;
}

async function steam(path, body) {
  const answer = await ask('POST', `${sandbox.steam.url}/control/${path}`, body);
  assert.strictEqual(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function until(look, what) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < deadline, `waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function call(target, method, ...args) {
  return new Promise((resolve, reject) => target[method](...args, (error, ...values) => (error ? reject(error) : resolve(values))));
}

async function logIn(account) {
  const session = new LoginSession(EAuthTokenPlatformType.WebBrowser);
  const authenticated = new Promise((resolve, reject) => {
    session.on('authenticated', resolve);
    session.on('timeout', () => reject(new Error('login timed out')));
    session.on('error', reject);
  });
  const code = SteamTotp.generateAuthCode(account.shared_secret);
  await session.startWithCredentials({ accountName: account.login, password: account.password, steamGuardCode: code });
  await authenticated;
  const cookies = await session.getWebCookies();
  const community = new SteamCommunity();
  community.setCookies(cookies);
  const manager = new TradeOfferManager({ community, language: 'en', pollInterval: -1, savePollData: false });
  await call(manager, 'setCookies', cookies);
  await call(community, 'acknowledgeTradeProtection');
  return manager;
}

// A sale of so many items, completed; the buyer the market chose and the ids of their items.
async function sell(count) {
  const [shop] = sandbox.projects;
  const seller = sandbox.sellers[2];
  for (const { market_hash_name: name, game_id: game } of sandbox.sellers.flatMap((one) => one.items)) {
    if (game !== GAME) continue;
    const matched = await market(shop, 'POST', '/api/sell/match', { game_id: GAME, items: [{ market_hash_name: name }] });
    if (matched.buyer_id === null) continue;
    const { assetids } = await steam('items', { steamid64: seller.steamid64, game_id: GAME, market_hash_name: name, count });
    const lines = assetids.map(() => ({ market_hash_name: name }));
    const offer = await market(shop, 'POST', '/api/sell/match', { game_id: GAME, items: lines });
    const items = assetids.map((assetid, place) => ({ assetid, market_hash_name: name, price: offer.items[place].price }));
    const { buyer_id, quote_id } = offer;
    const body = { game_id: GAME, buyer_id, quote_id, custom_id: randomUUID(), tradelink: seller.tradelink, items };
    const made = await market(shop, 'POST', '/api/sell/trades/create', body);
    await until(async () => (await market(shop, 'GET', `/api/sell/trades/by-id/${made.trade_id}`)).status === 'completed', 'the sale is completed');
    const buyer = sandbox.buyers.find((one) => one.buyer_id === offer.buyer_id);
    return { name, buyer, ids: items.map((_, place) => `${made.trade_id}-${place}`) };
  }
  throw new Error(`nobody buys anything of game ${GAME}`);
}

// What came in since the last look, by the library's own poll.
async function incoming(manager) {
  const arrived = new Promise((resolve) => manager.once('newOffer', resolve));
  const timer = setInterval(() => manager.doPoll(), 250);
  try {
    return await Promise.race([arrived, new Promise((_, reject) => setTimeout(() => reject(new Error('no offer came')), PATIENCE_MS).unref())]);
  } finally {
    clearInterval(timer);
  }
}

async function main() {
  const { name, buyer, ids } = await sell(2);
  step(`a shop sold 2 × ${name}; the market holds them for ${buyer.buyer_id}`);
  await steam(`sellers/${buyer.steamid64}`, { behaviour: 'ignore' });
  await market(buyer, 'PUT', '/api/buy/settings', { tradelink: buyer.tradelink });
  const manager = await logIn(buyer);
  step('the buyer logs in to Steam');
  const held = async () => (await market(buyer, 'GET', '/api/buy/items?limit=100')).items.filter((one) => ids.includes(one.item_id));
  const delivery = (id) => market(buyer, 'GET', `/api/buy/deliveries/${id}`);
  const request = async () => (await market(buyer, 'POST', '/api/buy/deliveries', { custom_id: randomUUID(), items: ids, message: 'yours' })).deliveries;

  let [made] = await request();
  const refused = await incoming(manager);
  assert.deepStrictEqual([refused.state, refused.itemsToGive.length, refused.itemsToReceive.length], [State.Active, 0, 2]);
  assert.ok(refused.itemsToReceive.every((item) => item.market_hash_name === name));
  assert.ok(refused.message.includes('yours'));
  step(`the offer is in the inbox, with its names and the message: ${refused.id}`);
  await call(refused, 'decline');
  await until(async () => (await delivery(made.delivery_id)).status === 'cancelled', 'the market knows of the refusal');
  assert.deepStrictEqual((await held()).map((one) => one.state), ['held', 'held']);
  step('declined by the buyer: the market holds the items as before');

  [made] = await request();
  const offer = await incoming(manager);
  const seen = await delivery(made.delivery_id);
  assert.strictEqual(seen.offer_url, `https://steamcommunity.com/tradeoffer/${offer.id}/`);
  const [status] = await call(offer, 'accept');
  assert.strictEqual(status, 'accepted');
  step('accepted, without a phone: nothing is given');
  const done = await until(async () => {
    const now = await delivery(made.delivery_id);
    return now.status === 'completed' && now;
  }, 'the delivery is completed');
  assert.strictEqual(done.processed_trade.items_to_give.length, 2);
  assert.deepStrictEqual(await held(), []);
  step('the market calls the delivery completed and holds nothing any more');
  const [tradeStatus, , received] = await call(offer, 'getExchangeDetails');
  assert.strictEqual(tradeStatus, TradeOfferManager.ETradeStatus.Complete);
  const [mine] = await call(manager, 'getInventoryContents', GAME, 2, true);
  const there = new Set(mine.map((item) => item.assetid));
  assert.ok(received.length === 2 && received.every((item) => there.has(item.new_assetid ?? item.assetid)));
  step('both items lie in the buyer\'s inventory, under the ids that the exchange names');

  console.log(`${steps} passed, 0 failed`);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  console.log(`${steps} passed, 1 failed`);
  process.exit(1);
});
