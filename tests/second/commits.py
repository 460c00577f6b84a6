"""Signed bytes: commits, batches as arrays or columns, receipts, chunks (section 4.1 to 4.4)."""

import struct

from wire import Bad, blake, is_bytes, is_number, is_position, need, pack, sign, u64, unpack, verify

WRITE, INSERT, DELETE, KEEP = range(4)
NO_HASH = bytes(32)
MOST_CONTENT = 524288


# --- 4.1 ---

def body_salt(salt, index):
    return blake(16, "maillage salt v1", salt, u64(index))


def split_group(group, whole):
    """(the group's own salt or None, [dossier, op, …]) of a group that is there."""
    if whole:
        return None, group
    need(is_bytes(group[0], 16), "a group without its salt")
    return group[0], group[1:]


def commit_hash(previous, node, incarnation, commit):
    seq, scope, seen, hlc, salt, base, body = commit
    hashes = []
    for index, group in enumerate(body):
        if isinstance(group, bytes):
            need(len(group) == 32, "the hash of a group")
            hashes.append(group)
        else:
            own, content = split_group(group, salt is not None)
            hashes.append(blake(32, "maillage group v1", own or body_salt(salt, index), pack(content)))
    head = pack([node, incarnation, seq, scope, seen, hlc, base])
    return blake(32, "maillage commit v1", previous, head, *hashes)


def check_commit(commit):
    need(isinstance(commit, list) and len(commit) == 7, "a commit has seven fields")
    seq, scope, seen, hlc, salt, base, body = commit
    need(is_number(seq) and seq >= 1, "seq")
    need(isinstance(scope, str) and len(scope.encode()) <= 96, "scope")
    need(isinstance(seen, list) and len(seen) <= 16 and all(is_position(p) for p in seen), "seen")
    need(is_number(hlc), "hlc")
    need(salt is None or is_bytes(salt, 8), "salt")
    need(base is None or (isinstance(base, list) and len(base) == 2 and all(is_number(n) for n in base)), "base")
    need(isinstance(body, list), "body")


def operations(commit):
    """Each (dossier, table, kind, id, {column: value}) that is there."""
    for group in commit[6]:
        if isinstance(group, bytes):
            continue
        dossier, *ops = split_group(group, commit[4] is not None)[1]
        need(dossier is None or is_bytes(dossier, 16), "dossier")
        for op in ops:
            table, kind, row, mask, *values = op
            need(is_number(table, 63) and is_number(kind, 3) and is_bytes(row, 16) and is_number(mask, 2**32 - 1),
                 "an operation")
            columns = [i for i in range(32) if mask >> i & 1]
            need(len(columns) == len(values) and (kind < DELETE or mask == 0), "mask and values")
            yield dossier, table, kind, row, dict(zip(columns, values))


# --- 4.2.1 ---

class Column:
    """A bin of numbers in LEB128."""

    def __init__(self, data, steps=False):
        need(isinstance(data, bytes), "a column is a bin")
        self.data, self.at, self.steps, self.last = data, 0, steps, 0

    def next(self):
        value = shift = 0
        while True:
            need(self.at < len(self.data) and shift < 70, "a column ends too early")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        need(byte != 0 or shift == 7, "more bytes than needed")
        need(value < 1 << 64, "more than 64 bits")
        if not self.steps:
            return value
        self.last = (self.last + (value >> 1 ^ -(value & 1))) % (1 << 64)
        return self.last

    def signed(self):
        return struct.unpack(">q", u64(self.next()))[0]

    def at_end(self):
        return self.at == len(self.data)


class Bytes:
    def __init__(self, data):
        need(isinstance(data, bytes), "a bin")
        self.data, self.at = data, 0

    def next(self, count):
        need(count <= len(self.data) - self.at, "bytes end too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def at_end(self):
        return self.at == len(self.data)


class Ids:
    def __init__(self, refs, times, tails):
        self.refs, self.times, self.tails, self.told = Column(refs), Column(times, steps=True), Bytes(tails), []

    def next(self):
        back = self.refs.next()
        need(back != 1, "a row by name, though HELLO did not ask for them")
        if back == 0:
            time = self.times.next()
            need(time < 1 << 48, "an id's first six bytes")
            self.told.append(u64(time)[2:] + self.tails.next(10))
            return self.told[-1]
        need(back - 1 <= len(self.told), "an id that was never told")
        return self.told[1 - back]

    def at_end(self):
        return self.refs.at_end() and self.times.at_end() and self.tails.at_end()


class Cells:
    """The values of one column of one table, in order."""

    def __init__(self, cells):
        self.all_nil = cells is None
        if not self.all_nil:
            runs, integers, lengths, data = cells
            self.runs, self.integers = Column(runs), Column(integers, steps=True)
            self.lengths, self.data = Column(lengths), Bytes(data)
            self.kind = self.left = 0

    def next(self, ids):
        if self.all_nil:
            return None
        if self.left == 0:
            self.kind, self.left = self.runs.next(), self.runs.next()
            need(self.kind <= 4 and self.left > 0, "a run of values")
        self.left -= 1
        if self.kind == 0:
            return None
        if self.kind == 1:
            return self.integers.signed()
        if self.kind == 4:
            return ids.next()
        data = self.data.next(self.lengths.next())
        return data if self.kind == 3 else data.decode("utf-8")

    def at_end(self):
        return self.all_nil or (self.left == 0 and self.runs.at_end() and self.integers.at_end()
                                and self.lengths.at_end() and self.data.at_end())


def seeded_salts(seeds):
    """A function from seq to salt (4.2.2)."""
    need(isinstance(seeds, list) and len(seeds) <= 256, "seeds")

    def salt(seq):
        for level, index, node in seeds:
            need(is_number(level, 10) and is_number(index) and is_bytes(node, 16), "a seed")
            if seq >> level == index:
                for bit in range(level - 1, -1, -1):
                    node = blake(16, "maillage salt step v1", node, bytes((seq >> bit & 1,)))
                return node[:8]
        raise Bad("no seed stands for this seq")
    return salt


def read_columns(data):
    fields = unpack(data)
    need(isinstance(fields, list) and len(fields) == 23, "columns have 23 fields")
    (count, scopes, histories, seqs, scope_of, ms, counters, seen, seen_n, bases, shape, salts,
     seeds, tables, kinds, masks, refs, name_lens, id_times, id_tails, names, values, opaque) = fields
    need(is_number(count, 4096), "the count of commits")
    need(name_lens == b"" and names == b"", "rows by name, though HELLO did not ask for them")
    seqs, ms, seen_n = Column(seqs, True), Column(ms, True), Column(seen_n, True)
    scope_of, counters, seen, bases, shape, salts, tables, kinds, masks = map(
        Column, (scope_of, counters, seen, bases, shape, salts, tables, kinds, masks))
    ids, opaque, seed = Ids(refs, id_times, id_tails), Bytes(opaque), seeded_salts(seeds)
    cells = {}
    for table, column, each in values:
        need((table, column) not in cells, "a column that is there twice")
        cells[table, column] = Cells(each)
    commits, size = [], 0
    for _ in range(count):
        seq, scope = seqs.next(), scope_of.next()
        need(scope < len(scopes), "a scope that is not there")
        hlc = ms.next() * 65536 + counters.next()
        positions = []
        for _ in range(seen.next()):
            place = seen.next()
            need(place < len(histories), "a history that is not there")
            positions.append([histories[place], seen_n.next()])
        salt = (lambda: None, lambda: opaque.next(8), lambda: seed(seq))[salts.next()]()
        base = [bases.next(), bases.next()] if bases.next() else None
        groups = shape.next()
        if groups == 0:
            body = unpack(opaque.next(shape.next()))
        else:
            body = [read_group(shape, opaque, ids, tables, kinds, masks, cells) for _ in range(groups - 1)]
        commit = [seq, scopes[scope], positions, hlc, salt, base, body]
        size += len(pack(commit))
        need(size <= MOST_CONTENT, "commits above the ceiling")
        commits.append(commit)
    ends = [seqs, scope_of, ms, counters, seen, seen_n, bases, shape, salts, tables, kinds, masks, ids, opaque]
    need(all(each.at_end() for each in ends + list(cells.values())), "columns that are not read to their ends")
    return commits


def read_group(shape, opaque, ids, tables, kinds, masks, cells):
    form, has_dossier = divmod(shape.next(), 2)
    if form == 2:
        return opaque.next(32)
    need(form < 2, "the form of a group")
    count = shape.next()
    group = [opaque.next(16)] if form == 1 else []
    group.append(ids.next() if has_dossier else None)
    for _ in range(count):
        table, kind, mask = tables.next(), kinds.next(), masks.next()
        op = [table, kind, ids.next(), mask]
        for column in range(mask.bit_length()):
            if mask >> column & 1:
                need((table, column) in cells, "values that are not there")
                op.append(cells[table, column].next(ids))
        group.append(op)
    return group


# --- 4.2 and 4.3 ---

def batch_hash(node, incarnation, last_seq, heads):
    return blake(32, "maillage batch v1", node, u64(incarnation), u64(last_seq), pack(heads))


def receipt_hash(of_batch, first_seq, receipt):
    history, first_n, hub_time, refused, also, _ = receipt
    return blake(32, "maillage receipt v1", of_batch, u64(first_seq), u64(history), u64(first_n), u64(hub_time),
                 pack(refused), pack(also))


def make_batch(secret, node, incarnation, commits, hashes):
    """commits with consecutive seqs, hashes the hash of each."""
    heads = {}
    for commit, digest in zip(commits, hashes):
        heads[commit[1]] = [commit[1], commit[0], digest]
    heads = [heads[scope] for scope in sorted(heads, key=str.encode)]
    last = commits[-1][0]
    signature = sign(secret, batch_hash(node, incarnation, last, heads))
    return [node, incarnation, commits[0][0], last, heads, signature, None, commits]


def check_receipt(hub_key, node, incarnation, first_seq, last_seq, heads, receipt):
    need(isinstance(receipt, list) and len(receipt) == 6, "a receipt has six fields")
    history, first_n, hub_time, refused, also, signature = receipt
    need(is_number(history) and is_number(first_n) and is_number(hub_time) and is_bytes(signature, 64), "a receipt")
    need(isinstance(refused, list) and isinstance(also, list) and len(also) <= 1024, "refused and also")
    digest = receipt_hash(batch_hash(node, incarnation, last_seq, heads), first_seq, receipt)
    need(verify(hub_key, signature, digest), "a receipt that the hub has not signed")


def read_batch(batch):
    need(isinstance(batch, list) and len(batch) == 8, "a batch has eight fields")
    node, incarnation, first, last, heads, signature, receipt, commits = batch
    need(is_bytes(node, 16) and is_number(incarnation) and is_number(first) and is_number(last)
         and 1 <= first <= last and isinstance(heads, list) and is_bytes(signature, 64), "a batch")
    if isinstance(commits, bytes):
        commits = read_columns(commits)
    for commit in commits or []:
        check_commit(commit)
        need(first <= commit[0] <= last, "a commit that is not of this batch")
    need(all(a[0] < b[0] for a, b in zip(commits or [], (commits or [])[1:])), "commits in the order of seq")
    return node, incarnation, first, last, heads, signature, receipt, commits
