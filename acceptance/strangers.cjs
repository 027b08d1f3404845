'use strict';
// steam-session + steamcommunity + steam-tradeoffer-manager, unmodified, through whole trades against the simulator.
const assert = require('assert');
const http = require('http');
const SteamCommunity = require('steamcommunity');
const SteamTotp = require('steam-totp');
const TradeOfferManager = require('steam-tradeoffer-manager');
const { LoginSession, EAuthTokenPlatformType } = require('steam-session');

const CONTROL = process.env.STEAM_URL;
const State = TradeOfferManager.ETradeOfferState;
let steps = 0;

function step(what) {
  steps += 1;
  console.log(`  ${String(steps).padStart(2)} ${what}`);
}

function control(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(`${CONTROL}/control/${path}`, { method }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(`${path}: ${text}`))));
    });
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

// Node callbacks → promises, the error's Steam result kept.
function call(target, method, ...args) {
  return new Promise((resolve, reject) => target[method](...args, (error, ...values) => (error ? reject(error) : resolve(values))));
}

async function logIn(account, platform) {
  const session = new LoginSession(platform);
  const authenticated = new Promise((resolve, reject) => {
    session.on('authenticated', resolve);
    session.on('timeout', () => reject(new Error('login timed out')));
    session.on('error', reject);
  });
  const code = SteamTotp.generateAuthCode(account.shared_secret);
  await session.startWithCredentials({ accountName: account.login, password: account.password, steamGuardCode: code });
  await authenticated;
  assert.strictEqual(session.steamID.getSteamID64(), account.steamid64);
  return session;
}

async function client(account, platform) {
  const session = await logIn(account, platform);
  const cookies = await session.getWebCookies();
  const community = new SteamCommunity();
  community.setCookies(cookies);
  const manager = new TradeOfferManager({ community, language: 'en', pollInterval: -1, savePollData: false });
  await call(manager, 'setCookies', cookies);
  await call(community, 'acknowledgeTradeProtection');
  return { account, session, community, manager };
}

async function refused(promise, eresult) {
  await assert.rejects(promise, (error) => {
    assert.strictEqual(error.eresult, eresult, error.message);
    return true;
  });
}

async function main() {
  const accounts = (await control('GET', 'accounts')).accounts;
  const botAccount = accounts.find((one) => one.role === 'bot');
  const sellerAccount = accounts.find((one) => one.role === 'seller');
  await control('POST', `sellers/${sellerAccount.steamid64}`, { behaviour: 'ignore' });

  await assert.rejects(logIn({ ...botAccount, password: 'wrong' }, EAuthTokenPlatformType.MobileApp), (error) => error.eresult === 5);
  step('a wrong password is refused (5)');

  const bot = await client(botAccount, EAuthTokenPlatformType.MobileApp);
  step('mobile login: RSA key, credentials, guard code, tokens, cookies');
  const before = bot.session.accessToken;
  await bot.session.refreshAccessToken();
  assert.notStrictEqual(bot.session.accessToken, before);
  step('mobile token renewed');
  const seller = await client(sellerAccount, EAuthTokenPlatformType.WebBrowser);
  step('web login: finalizelogin and the settoken hosts');

  const [items] = await call(seller.manager, 'getUserInventoryContents', sellerAccount.steamid64, 730, 2, true);
  assert.ok(items.length >= 8 && items.every((item) => item.market_hash_name));
  step(`inventory: ${items.length} items with names`);

  const [link] = await call(seller.manager, 'getOfferToken').then(([token]) => [token]);
  assert.ok(sellerAccount.tradelink.endsWith(link));
  step('trade link read from the privacy page');

  const probe = bot.manager.createOffer(sellerAccount.tradelink);
  const [me, them] = await call(probe, 'getUserDetails');
  assert.deepStrictEqual([me.escrowDays, them.escrowDays], [0, 0]);
  assert.strictEqual(them.personaName, sellerAccount.persona);
  step('trade page: names and hold days');

  const bad = bot.manager.createOffer(sellerAccount.tradelink);
  bad.addTheirItem({ appid: 730, contextid: '2', assetid: '1' });
  await refused(call(bad, 'send'), 26);
  step('a missing item is refused (26)');
  const rotated = bot.manager.createOffer(sellerAccount.tradelink.replace(/token=.*/, 'token=wrong123'));
  rotated.addTheirItem(items[0]);
  await refused(call(rotated, 'send'), 15);
  step('a rotated token is refused (15)');

  // A request: sent, received, accepted on the web, confirmed on the phone, exchanged.
  const request = bot.manager.createOffer(sellerAccount.tradelink);
  request.addTheirItem(items[0]);
  request.setMessage('from a stranger');
  const [status] = await call(request, 'send');
  assert.strictEqual(status, 'sent');
  assert.strictEqual(request.state, State.Active);
  step(`request sent: offer ${request.id}`);
  const [theirs] = await call(seller.manager, 'getOffer', request.id);
  assert.deepStrictEqual([theirs.isOurOffer, theirs.message, theirs.itemsToGive.length], [false, 'from a stranger', 1]);
  assert.strictEqual(theirs.itemsToGive[0].market_hash_name, items[0].market_hash_name);
  step('seller reads it, with the names of the items');
  const [accepted] = await call(theirs, 'accept');
  assert.strictEqual(accepted, 'pending');
  assert.strictEqual((await call(bot.manager, 'getOffer', request.id))[0].state, State.Active);
  step('accepted on the web: still active until the phone confirms');
  await call(seller.community, 'acceptConfirmationForObject', sellerAccount.identity_secret, request.id);
  step('seller confirms on the phone');

  const changed = new Promise((resolve) => bot.manager.once('sentOfferChanged', (offer, old) => resolve([offer, old])));
  bot.manager.pollData = { sent: { [request.id]: State.Active }, received: {}, timestamps: {}, offersSince: 0 };
  bot.manager.doPoll();
  const [seen, old] = await changed;
  assert.deepStrictEqual([seen.id, seen.state, old], [request.id, State.Accepted, State.Active]);
  step('poll reports Active → Accepted');
  const [tradeStatus, , received] = await call(seen, 'getExchangeDetails');
  assert.strictEqual(tradeStatus, TradeOfferManager.ETradeStatus.Complete);
  assert.deepStrictEqual([received.length, received[0].assetid], [1, items[0].assetid]);
  step('exchange details: complete, one item received');

  // Cancelled by the sender, declined by the recipient.
  for (const [who, act, state] of [['bot', 'cancel', State.Canceled], ['seller', 'decline', State.Declined]]) {
    const offer = bot.manager.createOffer(sellerAccount.tradelink);
    offer.addTheirItem(items[1]);
    await call(offer, 'send');
    const handle = who === 'bot' ? offer : (await call(seller.manager, 'getOffer', offer.id))[0];
    await call(handle, act);
    assert.strictEqual((await call(bot.manager, 'getOffer', offer.id))[0].state, state);
    step(`${who} ${act}s: state ${state}`);
  }

  // An offer that gives something needs the sender's own phone first.
  const { assetids } = await control('POST', 'items', { steamid64: botAccount.steamid64, game_id: 440, market_hash_name: 'Mann Co. Supply Crate Key' });
  const gift = bot.manager.createOffer(sellerAccount.tradelink);
  gift.addMyItem({ appid: 440, contextid: '2', assetid: assetids[0] });
  assert.strictEqual((await call(gift, 'send'))[0], 'pending');
  assert.strictEqual((await call(bot.manager, 'getOffer', gift.id))[0].state, State.CreatedNeedsConfirmation);
  step('a gift waits for our own confirmation');
  await call(bot.community, 'acceptConfirmationForObject', botAccount.identity_secret, gift.id);
  const [[, gifts]] = [await call(bot.manager, 'getOffer', gift.id).then(([offer]) => [null, offer])];
  assert.strictEqual(gifts.state, State.Active);
  step('confirmed: the gift is active');
  const [taken] = await call((await call(seller.manager, 'getOffer', gift.id))[0], 'accept');
  assert.strictEqual(taken, 'accepted');
  step('a gift is accepted without a phone');

  // Several gifts, confirmed at once.
  const more = (await control('POST', 'items', { steamid64: botAccount.steamid64, game_id: 440, market_hash_name: 'Mann Co. Supply Crate Key', count: 2 })).assetids;
  const pair = [];
  for (const assetid of more) {
    const one = bot.manager.createOffer(sellerAccount.tradelink);
    one.addMyItem({ appid: 440, contextid: '2', assetid });
    await call(one, 'send');
    pair.push(one.id);
  }
  const now = () => Math.floor(Date.now() / 1000);
  const keyOf = (tag) => SteamTotp.getConfirmationKey(botAccount.identity_secret, now(), tag);
  const [waiting] = await call(bot.community, 'getConfirmations', now(), { tag: 'list', key: keyOf('list') });
  assert.strictEqual(waiting.length, 2);
  await call(bot.community, 'respondToConfirmation', waiting.map((one) => one.id), waiting.map((one) => one.key), now(), keyOf('allow'), true);
  for (const id of pair) assert.strictEqual((await call(bot.manager, 'getOffer', id))[0].state, State.Active);
  step('two gifts confirmed at once');

  // A counter-offer, from the offer's own page.
  const asked = bot.manager.createOffer(sellerAccount.tradelink);
  asked.addTheirItem(items[2]);
  await call(asked, 'send');
  const [inbox] = await call(seller.manager, 'getOffer', asked.id);
  const [mine, partner] = await call(inbox, 'getUserDetails');
  assert.deepStrictEqual([mine.escrowDays, partner.escrowDays, partner.personaName], [0, 0, botAccount.persona]);
  const counter = inbox.counter();
  counter.removeMyItem(counter.itemsToGive[0]);
  counter.addMyItem(items[3]);
  assert.strictEqual((await call(counter, 'send'))[0], 'pending');
  assert.strictEqual((await call(bot.manager, 'getOffer', asked.id))[0].state, State.Countered);
  step('countered from the page of the offer: state 4');

  // Reversal: the trade's own status tells, while the offer may still say Accepted.
  const { reversed } = await control('POST', 'reverse', { steamid64: sellerAccount.steamid64 });
  assert.deepStrictEqual(reversed, [seen.tradeID]);
  await assert.rejects(call(seen, 'getExchangeDetails'), /12/);
  const [after] = await call(seen, 'getExchangeDetails', true);
  assert.strictEqual(after, 12);
  step('reversed: trade status 12, as the library itself complains');

  console.log(`${steps} passed, 0 failed`);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  console.log(`${steps} passed, 1 failed`);
  process.exit(1);
});
