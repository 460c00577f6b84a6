"""What a replica holds: commits by their names, rows with their siblings and deletions, and their digests (4.1, 4.4, 4.5)."""

from commits import (DELETE, INSERT, KEEP, NO_HASH, batch_hash, check_receipt, commit_hash, operations, read_batch)
from wire import blake, is_bytes, is_number, is_position, need, pack, unpack, verify

PRESENCE = 32


class Stub:
    """Of a commit what a merge must know."""

    def __init__(self, node, incarnation, commit, received, numbers):
        self.dot = (node, incarnation, commit[0])
        self.seen, self.claimed, self.received, self.numbers = commit[2], commit[3] >> 16, received, numbers

    def later(self):
        """Effective time, then dot."""
        time = self.claimed if self.received is None else min(self.claimed, self.received)
        return time, self.dot


class Row:
    def __init__(self, scope):
        self.scope, self.writes, self.deletions = scope, {}, []


class Replica:
    def __init__(self, schema, node, node_key, hub, hub_key):
        self.tables = schema["tables"]
        self.names = [table["name"] for table in self.tables]
        self.keys = {node: node_key, hub: hub_key}
        self.hub_key, self.node = hub_key, node
        self.histories, self.bases, self.heads, self.known, self.rows = {}, {}, {}, set(), {}

    # --- causality ---

    def learn(self, histories):
        for history in histories:
            need(len(history) == 3 and all(is_number(n) for n in history), "a history")
            self.histories[history[0]] = (history[1], history[2])

    def covers(self, position, number):
        history, most = position
        while history != number[0]:
            parent, fork = self.histories.get(history, (0, 0))
            if parent == 0 or number[1] > fork:
                return False
            history = parent
        return number[1] <= most

    def saw(self, a, b):
        if a.dot[:2] == b.dot[:2]:
            return b.dot[2] < a.dot[2]
        if any(self.covers(position, number) for position in a.seen for number in b.numbers):
            return True
        author, steps = a.dot[:2], 0
        while author in self.bases and steps < 100:
            incarnation, seq = self.bases[author]
            author, steps = (author[0], incarnation), steps + 1
            if author == b.dot[:2]:
                return b.dot[2] <= seq
        return False

    # --- merge ---

    def write(self, row, cell, stub, value):
        """A dictionary of siblings by dot: those that no other write of the cell has seen."""
        there = row.writes.setdefault(cell, {})
        if any(self.saw(other, stub) for other, _ in there.values()):
            return
        for dot in [dot for dot, (other, _) in there.items() if self.saw(stub, other)]:
            del there[dot]
        there[stub.dot] = (stub, value)

    def delete(self, row, stub):
        presence = [each for each, _ in row.writes.get(PRESENCE, {}).values()]
        if any(self.saw(other, stub) for other in presence + row.deletions):
            return
        row.deletions = [other for other in row.deletions if not self.saw(stub, other)] + [stub]

    def merge(self, commit, stub):
        for _, table, kind, ident, cells in operations(commit):
            row = self.rows.setdefault((table, ident), Row(commit[1]))
            if kind == DELETE:
                self.delete(row, stub)
                continue
            for cell, value in cells.items():
                self.write(row, cell, stub, value)
            if kind in (INSERT, KEEP):
                row.deletions = [other for other in row.deletions if not self.saw(stub, other)]
                self.write(row, PRESENCE, stub, None)
            if self.names[table] == "node" and 2 in cells:
                self.keys[ident] = cells[2]

    def shown(self, table, cell, writes):
        policy = "latest" if cell == PRESENCE else self.tables[table]["columns"][cell]["policy"]
        if policy == "immutable":
            return min(writes.values(), key=lambda one: one[0].later())
        need(policy in ("latest", "review"), f"the policy {policy} is not known here")
        return max(writes.values(), key=lambda one: one[0].later())

    def alive(self, row):
        return any(not any(self.saw(deletion, stub) for deletion in row.deletions)
                   for writes in row.writes.values() for stub, _ in writes.values())

    # --- digests ---

    def row_hash(self, table, ident, row):
        data, last, siblings = pack(table) + pack(ident), None, []
        for cell in sorted(row.writes):
            stub, value = self.shown(table, cell, row.writes[cell])
            if stub.dot != last:
                data += b"".join(pack(part) for part in stub.dot)
            last = stub.dot
            data += pack(cell) + pack(value)
            siblings += [(cell, other.dot, theirs) for other, theirs in row.writes[cell].values() if other.dot != stub.dot]
        data += pack_head(len(siblings))
        for cell, dot, value in sorted(siblings, key=lambda one: one[:2]):
            data += pack(cell) + b"".join(pack(part) for part in dot) + pack(value)
        data += pack_head(len(row.deletions))
        for stub in sorted(row.deletions, key=lambda one: one.dot):
            data += b"".join(pack(part) for part in stub.dot)
        data += pack(PRESENCE in row.writes and self.alive(row))
        return int.from_bytes(blake(16, "maillage row v1", data)[:8], "big")

    def digest(self, scope):
        total = sum(self.row_hash(table, ident, row) for (table, ident), row in self.rows.items() if row.scope == scope)
        return (total % (1 << 64)).to_bytes(8, "big")

    # --- what comes ---

    def take_commits(self, node, incarnation, first, commits, receipt):
        """Of a batch whose receipt holds; gives the chains' ends by scope."""
        history, first_n, received, refused, also, _ = receipt
        ends = {}
        for commit in commits:
            seq, scope = commit[0], commit[1]
            chain = (node, incarnation, scope)
            if commit[5] is not None:
                self.bases[node, incarnation] = tuple(commit[5])
            if (node, incarnation, seq) in self.known:
                continue
            digest = commit_hash(self.heads.get(chain, (0, NO_HASH))[1], node, incarnation, commit)
            self.heads[chain] = ends[scope] = (seq, digest)
            self.known.add((node, incarnation, seq))
            if seq in refused:
                continue
            numbers = [(history, first_n + seq - first)]
            numbers += [(old, n + seq - begin) for old, begin, end, n in also if begin <= seq <= end]
            self.merge(commit, Stub(node, incarnation, commit, received, numbers))
        return ends

    def take_chunk(self, data):
        """Gives (position of its end, how many commits were new)."""
        history, n, items = unpack(data)
        need(is_position([history, n]) and isinstance(items, list), "a chunk")
        new = 0
        for kind, content in items:
            need(kind == 0, "a dossier that moved: this client does not move any")
            node, incarnation, first, last, heads, signature, receipt, commits = read_batch(content)
            need(node in self.keys, "a batch of a node that the registry does not have")
            need(verify(self.keys[node], signature, batch_hash(node, incarnation, last, heads)), "a batch's signature")
            check_receipt(self.hub_key, node, incarnation, first, last, heads, receipt)
            before = len(self.known)
            ends = self.take_commits(node, incarnation, first, commits or [], receipt)
            for scope, seq, digest in heads:
                need(scope not in ends or ends[scope] == (seq, digest), "a chain that does not end in the batch's head")
            new += len(self.known) - before
        return [history, n], new

    def take_receipts(self, data, own):
        """OWN: commits by seq. Those of which the receipt tells the number are merged; gives the last seq."""
        last = 0
        for node, incarnation, first, until, heads, receipt in unpack(data):
            check_receipt(self.hub_key, node, incarnation, first, until, heads, receipt)
            self.take_commits(node, incarnation, first, [own[seq] for seq in range(first, until + 1)], receipt)
            for scope, seq, digest in heads:
                need(self.heads[node, incarnation, scope] == (seq, digest), "a receipt for other commits")
            last = until
        return last

    def check_end(self, end):
        _, cursor, hub_time, day, unsaved, _, digests, signature = end
        parts = [number.to_bytes(8, "big") for number in (*cursor, hub_time, day, unsaved, end[5])]
        for one in digests:
            need(len(one) in (2, 3) and is_bytes(one[1], 8), "a digest")
            parts += [one[0].encode(), b"\0", one[1], one[2] if len(one) == 3 else bytes(8)]
        need(verify(self.hub_key, signature, blake(32, "maillage end v1", self.node, *parts)), "END's signature")
        return {one[0]: one[1] for one in digests}


def pack_head(count):
    """The head of an array."""
    return pack([0] * count)[:-count] if count else pack([])
