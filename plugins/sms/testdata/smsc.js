// An SMS centre for tests, by the npm package smpp. Each line on stdin is a command in JSON, each is answered by a line on stdout:
//
//	{"set": {...}}  changes how it behaves: see `mode`
//	{"list": true}  tells what it has received
//	{"enquire": N}  answers when N enquiries have come and N of its own were answered
//
// The first line tells its ports, in the clear and with TLS.
'use strict';
const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

let mode = {
  refuse: 0, // every submit_sm is answered with this status
  throttle: 0, // so many submit_sm are answered ESME_RTHROTTLED
  drop: 0, // so many submit_sm end the connection without an answer
  receipt: '', // the state that a receipt tells after each submit_sm
  first: false, // receipts come before the answer
  silent: false, // submit_sm is not answered until `most` are there
  most: 0,
};
const messages = [];
const binds = [];
const held = [];
let enquiries = 0;
let answered = 0;
let waiting = [];

const say = (x) => process.stdout.write(JSON.stringify(x) + '\n');

function progress() {
  waiting = waiting.filter((n) => {
    if (enquiries < n || answered < n) return true;
    say({ enquiries, answered });
    return false;
  });
}

function receipt(session, pdu, id) {
  if (!mode.receipt) return;
  session.deliver_sm({
    source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2611200102 done date:2611200102 stat:${mode.receipt} err:000 text:x`,
  });
}

function serve(session) {
  session.on('error', () => {});
  session.on('bind_transceiver', (pdu) => {
    const good = pdu.system_id === 'flows' && pdu.password === 'pa ss';
    binds.push({ system_id: pdu.system_id, version: pdu.interface_version, good });
    session.send(pdu.response({ command_status: good ? 0 : smpp.ESME_RINVPASWD, system_id: 'smsc' }));
    if (good) {
      session.enquire_link({}, () => { answered++; progress(); });
      session.send(new smpp.PDU('query_broadcast_sm', {})); // which nobody has to know
      session.deliver_sm({ source_addr: '1', destination_addr: '2', short_message: 'a message from somebody' });
    }
  });
  session.on('enquire_link', (pdu) => {
    enquiries++;
    session.send(pdu.response());
    session.enquire_link({}, () => { answered++; progress(); });
  });
  session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
  session.on('submit_sm', (pdu) => {
    if (mode.drop > 0) {
      mode.drop--;
      session.socket.destroy();
      return;
    }
    const status = mode.throttle > 0 ? smpp.ESME_RTHROTTLED : mode.refuse;
    if (mode.throttle > 0) mode.throttle--;
    if (status) {
      session.send(pdu.response({ command_status: status }));
      return;
    }
    const id = 'M' + messages.length;
    const udh = pdu.short_message.udh;
    messages.push({
      source: pdu.source_addr, source_ton: pdu.source_addr_ton, source_npi: pdu.source_addr_npi, to: pdu.destination_addr, ton: pdu.dest_addr_ton, npi: pdu.dest_addr_npi,
      esm_class: pdu.esm_class, coding: pdu.data_coding, wants_receipt: pdu.registered_delivery,
      text: pdu.short_message.message, udh: udh ? Buffer.concat([].concat(udh)).toString('hex') : '',
    });
    const answer = () => session.send(pdu.response({ message_id: id }));
    if (mode.silent) {
      held.push(answer);
      if (held.length >= mode.most) held.splice(0).reverse().forEach((f) => f());
      return;
    }
    if (mode.first) receipt(session, pdu, id);
    answer();
    if (!mode.first) receipt(session, pdu, id);
  });
}

const plain = smpp.createServer({}, serve);
const secure = smpp.createServer({ key: fs.readFileSync(process.argv[2]), cert: fs.readFileSync(process.argv[3]) }, serve);
plain.listen(0, '127.0.0.1', () => secure.listen(0, '127.0.0.1', () => say({ plain: plain.address().port, secure: secure.address().port })));

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  if (command.set) { mode = { ...mode, ...command.set }; say({}); }
  if (command.list) say({ messages, binds });
  if (command.enquire) { waiting.push(command.enquire); progress(); }
}).on('close', () => process.exit(0));
