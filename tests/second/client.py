#!/usr/bin/env python3
"""A node of Maillage, from PROTOCOL.md alone: it joins, writes, and synchronises with a hub.

    client.py STATE join INVITATION SCHEMA         SCHEMA: what `maillage schema --json` prints, in a file
    client.py STATE add SCOPE FAMILY_NAME          a participant; prints its id
    client.py STATE set ID COLUMN VALUE
    client.py STATE sync [--forge signature|hash]  prints what was pushed and pulled, and whether the digests are END's
    client.py STATE show ID COLUMN                 the value shown, then its siblings

Exit status 0; 1 and a sentence when the hub breaks the text or refuses.
"""

import json
import os
import sys
import time

from commits import INSERT, NO_HASH, WRITE, commit_hash, make_batch
from replica import Replica
from wire import (ACK, BYE, CHUNK, END, ENROL, ENROLLED, ENROLMENT, HELLO, PUSH, RECEIPT, SESSION, WELCOME, Alert, Bad, Line, Refused,
                  blake, key_pair, need, pack, read_invitation, unpack)

import nacl.signing


class Client:
    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as file:
            self.state = json.load(file)
        state = self.state
        self.node, self.hub_key = bytes.fromhex(state["node"]), bytes.fromhex(state["hub_key"])
        self.replica = Replica(state["schema"], self.node, bytes.fromhex(state["public"]), bytes.fromhex(state["hub"]), self.hub_key)
        self.replica.learn(state["histories"])
        self.own = {}
        # In the order in which it happened: what came, and what was answered.
        for kind, data in state["log"]:
            self.replay(kind, bytes.fromhex(data))

    def replay(self, kind, data):
        if kind == "own":
            commit = unpack(data)
            self.own[commit[0]] = commit
        elif kind == "receipt":
            self.replica.take_receipts(data, self.own)
        else:
            self.replica.take_chunk(data)

    def keep(self, kind, data):
        self.state["log"].append([kind, data.hex()])

    def save(self):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.state, file)
        os.rename(self.path + ".new", self.path)

    # --- writing ---

    def commit(self, scope, group):
        cursor = self.state["cursor"]
        seq = len(self.own) + 1
        commit = [seq, scope, [cursor] if cursor[1] else [], int(time.time() * 1000) << 16, os.urandom(8), None, [group]]
        self.own[seq] = commit
        self.keep("own", pack(commit))
        self.save()

    def column(self, table, name):
        columns = [column["name"] for column in self.replica.tables[table]["columns"]]
        need(name in columns, f"there is no column {name}")
        return columns.index(name)

    def add(self, scope, name):
        table = self.replica.names.index("participant")
        ident = (int(time.time() * 1000) << 80 | 7 << 76 | int.from_bytes(os.urandom(10), "big") & ~(15 << 76)).to_bytes(16, "big")
        ident = ident[:8] + bytes((ident[8] & 63 | 128,)) + ident[9:]
        places = {self.column(table, "antenna"): scope, self.column(table, "family_name"): name}
        mask = sum(1 << place for place in places)
        self.commit(scope, [ident, [table, INSERT, ident, mask] + [places[place] for place in sorted(places)]])
        print(ident.hex())

    def set(self, ident, column, value):
        table, ident = self.replica.names.index("participant"), bytes.fromhex(ident.replace("-", ""))
        row = self.replica.rows[table, ident]
        self.commit(row.scope, [ident, [table, WRITE, ident, 1 << self.column(table, column), value]])

    def show(self, ident, column):
        table, ident = self.replica.names.index("participant"), bytes.fromhex(ident.replace("-", ""))
        writes = self.replica.rows[table, ident].writes.get(self.column(table, column), {})
        shown = self.replica.shown(table, self.column(table, column), writes)[1] if writes else None
        print(*[shown] + sorted(str(value) for _, value in writes.values() if value != shown))

    # --- a session ---

    def batch(self, forge):
        acked = self.state["acked"]
        commits = [self.own[seq] for seq in range(acked + 1, len(self.own) + 1)]
        heads = {chain[2]: head[1] for chain, head in self.replica.heads.items() if chain[0] == self.node}
        hashes = []
        for commit in commits:
            heads[commit[1]] = commit_hash(heads.get(commit[1], NO_HASH), self.node, self.state["incarnation"], commit)
            hashes.append(heads[commit[1]])
        batch = make_batch(bytes.fromhex(self.state["secret"]), self.node, self.state["incarnation"], commits, hashes)
        if forge == "signature":
            batch[5] = bytes(64)
        elif forge == "hash":
            batch[7][-1] = batch[7][-1][:4] + [os.urandom(8)] + batch[7][-1][5:]
        return pack(batch)

    def sync(self, forge=None):
        state, replica = self.state, self.replica
        line = Line(state["address"], SESSION)
        acked, last, pushed, pulled = state["acked"], len(self.own), 0, 0
        acked_hash = bytes(8)
        if acked:
            acked_hash = next(head[1][:8] for chain, head in replica.heads.items() if chain[0] == self.node and head[0] == acked)
        # Chunks of less than 20 thousand bytes: no snapshot (6.4).
        hello = [HELLO, 1, 1, state["incarnation"], state["cursor"], acked, last, acked_hash, 2, 19, False]
        line.shake_hands(key_pair(bytes.fromhex(state["noise"])), bytes.fromhex(state["hub_noise"]), b"", pack(hello))
        if last > acked:
            line.say(PUSH, 0, True, False, self.batch(forge))
        welcome = line.hear()
        need(welcome[0] == WELCOME and welcome[4] == 0, "a WELCOME without surprise")
        replica.learn(welcome[8])
        state["histories"] += welcome[8]
        while True:
            message = line.hear()
            if message[0] == RECEIPT:
                seq = replica.take_receipts(message[1], self.own)
                pushed += seq - state["acked"]
                state["acked"] = seq
                self.keep("receipt", message[1])
            elif message[0] == CHUNK:
                state["cursor"], new = replica.take_chunk(message[1])
                pulled += new
                self.keep("chunk", message[1])
                self.save()
                line.say(ACK, state["cursor"])
            else:
                break
        need(message[0] == END, "END")
        theirs = replica.check_end(message)
        state["cursor"] = message[1]
        self.save()
        differ = [scope for scope, digest in theirs.items() if replica.digest(scope) != digest]
        line.say(BYE, state["cursor"], True, not differ, True, 0, b"")
        line.close()
        print(f"pushed {pushed} pulled {pulled} digests {len(theirs)} " + (f"differ {' '.join(differ)}" if differ else "agree"))
        return 1 if differ else 0


def join(path, text, schema):
    invitation = read_invitation(text)
    signing, noise = nacl.signing.SigningKey.generate(), key_pair()
    line = Line(invitation["address"], ENROLMENT)
    line.shake_hands(noise, invitation["hub_noise"], invitation["id"], pack([ENROL, 1, bytes(signing.verify_key)]), psk=invitation["secret"])
    answer = line.hear()
    need(answer[0] == ENROLLED, "ENROLLED")
    line.close()
    _, hub, hub_key, _, name, scopes = answer
    with open(schema, encoding="utf-8") as file:
        tables = json.load(file)
    state = {"address": invitation["address"], "hub_noise": invitation["hub_noise"].hex(), "hub": hub.hex(), "hub_key": hub_key.hex(),
             "node": blake(16, "maillage node v1", bytes(signing.verify_key)).hex(), "secret": bytes(signing).hex(),
             "public": bytes(signing.verify_key).hex(), "noise": noise.private.data.hex(), "schema": tables,
             "incarnation": int.from_bytes(os.urandom(8), "big") >> 1, "cursor": [0, 0], "acked": 0, "histories": [], "log": []}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(state, file)
    print(name, *scopes)


def main():
    path, verb, *rest = sys.argv[1:]
    try:
        if verb == "join":
            return join(path, *rest)
        if verb == "sync":
            return Client(path).sync(rest[1] if rest else None)
        if verb in ("add", "set", "show"):
            return getattr(Client(path), verb)(*rest)
        print(__doc__, file=sys.stderr)
        return 2
    except (Bad, Refused, Alert, EOFError) as why:
        print(f"client: {why}", file=sys.stderr)
        return 1


sys.exit(main() or 0)
