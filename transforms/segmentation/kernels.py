"""The compiled inner loops of segmentation and counting; every number and every tie is jieba 0.42.1's.

A character's code tells its class: 0 stands outside jieba's blocks, up to LETTERS an ASCII letter or digit, up to
SYMBOLS one of `+#&._%-`, above it Han. Nothing is allocated here: a kernel that runs out of room says how much it needs.
"""

import numpy as np

from transforms.compiled import helper, kernel

LETTERS = 62
SYMBOLS = 69
BASIC_PLANE = 0x10000
SINGLES = 0x8000  # one-character tokens: those with a code come first, from here on the others by code point
DIGITS = 10  # digits have the first codes
FULL_STOP_CODE, PERCENT_CODE = 63, 64
RETURN, NEWLINE = ord("\r"), ord("\n")
WORDS, SEARCH, CHARACTERS = 0, 1, 2

CODE = np.dtype("u2")
POINT = np.dtype("u4")
NODE = np.dtype([("base", "i4"), ("check", "i4"), ("log_probability", "f8")])  # NaN where no word ends
EMISSION = np.dtype([("begin", "f8"), ("end", "f8"), ("middle", "f8"), ("single", "f8")])
CHAIN = np.dtype(  # start and transition log probabilities of the hidden Markov model
    [(name, "f8") for name in ("begin", "end", "middle", "single", "eb", "sb", "mm", "bm", "ss", "es", "be", "me")]
)
POSITION = np.dtype([("score", "f8"), ("end", "i4"), ("node", "i4")])  # the best route from a position of a block
TOKEN = np.dtype([("begin", "i4"), ("end", "i4"), ("node", "i4")])  # node 0: not looked up
TALLY = np.dtype([("count", "i8"), ("documents", "u4"), ("document", "u4")])  # document: the last one seen, from 1
UNKNOWN = np.dtype([("hash", "u8"), ("begin", "i8"), ("length", "i8")])  # where the word lies in the arena
PROGRESS = np.dtype([("document", "i8"), ("position", "i8"), ("unknown", "i8"), ("arena", "i8")])


@helper
def _best_route(codes, begin, length, nodes, unknown, route):  # type: ignore[no-untyped-def]
    """Fills route[0..length] right to left; scores are added in jieba's order, ties go to the longer word."""
    route[length].score = 0.0
    root = nodes[0].base
    for position in range(length - 1, -1, -1):
        best = unknown + route[position + 1].score
        best_end = position + 1
        best_node = 0
        node = root + codes[begin + position]
        if nodes[node].check == 0:
            valued = False
            here = position + 1
            while True:
                probability = nodes[node].log_probability
                if probability == probability:
                    score = probability + route[here].score
                    if score >= best or not valued:
                        best = score
                        best_end = here
                        best_node = node
                        valued = True
                base = nodes[node].base
                if here == length or base == 0:
                    break
                child = base + codes[begin + here]
                if nodes[child].check != node:
                    break
                node = child
                here += 1
        route[position].score = best
        route[position].end = best_end
        route[position].node = best_node


@helper
def _node_of(codes, begin, end, nodes):  # type: ignore[no-untyped-def]
    """The node of codes[begin:end], 0 where the trie has no such path."""
    node = 0
    for position in range(begin, end):
        base, code = nodes[node].base, codes[position]
        if base == 0 or code == 0 or nodes[base + code].check != node:
            return 0
        node = base + code
    return node


@helper
def _is_word(codes, begin, end, nodes):  # type: ignore[no-untyped-def]
    node = _node_of(codes, begin, end, nodes)
    probability = nodes[node].log_probability
    return node != 0 and probability == probability


@helper
def _viterbi(codes, begin, end, emissions, chain, path):  # type: ignore[no-untyped-def]
    """Fills path[0..end-begin].node with the states B 0, E 1, M 2, S 3; ties go to the greater letter, as in jieba."""
    hmm = chain[0]
    emission = emissions[codes[begin]]
    vb, ve = hmm.begin + emission.begin, hmm.end + emission.end
    vm, vs = hmm.middle + emission.middle, hmm.single + emission.single
    length = end - begin
    for position in range(1, length):
        emission = emissions[codes[begin + position]]
        back = 0
        one, other = ve + hmm.eb + emission.begin, vs + hmm.sb + emission.begin
        nb = other
        if one > other:
            nb = one
            back = 1
        else:
            back = 3
        one, other = vb + hmm.be + emission.end, vm + hmm.me + emission.end
        ne = other
        if one > other:
            ne = one
        else:
            back |= 2 << 2
        one, other = vm + hmm.mm + emission.middle, vb + hmm.bm + emission.middle
        nm = other
        if one >= other:
            nm = one
            back |= 2 << 4
        one, other = vs + hmm.ss + emission.single, ve + hmm.es + emission.single
        ns = other
        if one >= other:
            ns = one
            back |= 3 << 6
        else:
            back |= 1 << 6
        vb, ve, vm, vs = nb, ne, nm, ns
        path[position].node = back
    state = 1 if ve > vs else 3
    for position in range(length - 1, 0, -1):
        previous = (path[position].node >> (2 * state)) & 3
        path[position].node = state
        state = previous
    path[0].node = state


@helper
def _put(tokens, count, begin, end, node):  # type: ignore[no-untyped-def]
    tokens[count].begin = begin
    tokens[count].end = end
    tokens[count].node = node
    return count + 1


@helper
def _put_guessed(tokens, count, begin, end, codes, nodes, forced):  # type: ignore[no-untyped-def]
    """Adds a word of the hidden Markov model; one that a user dictionary gave frequency 0 falls into characters."""
    if len(forced) > 1 and forced[_node_of(codes, begin, end, nodes)]:
        for position in range(begin, end):
            count = _put(tokens, count, position, position + 1, 0)
        return count
    return _put(tokens, count, begin, end, 0)


@helper
def _cut_singles(codes, begin, end, nodes, emissions, chain, forced, path, tokens, count):  # type: ignore[no-untyped-def]
    """Cuts a run of single characters as jieba's `finalseg.cut`, unless the whole run is a word of the dictionary."""
    if end - begin == 1:
        return _put(tokens, count, begin, end, 0)
    if _is_word(codes, begin, end, nodes):
        for position in range(begin, end):
            count = _put(tokens, count, position, position + 1, 0)
        return count
    here = begin
    while here < end:
        stop = here + 1
        if codes[here] > SYMBOLS:
            while stop < end and codes[stop] > SYMBOLS:
                stop += 1
            _viterbi(codes, here, stop, emissions, chain, path)
            first = here
            for position in range(here, stop):
                state = path[position - here].node
                if state == 0:
                    first = position
                elif state == 1:
                    count = _put_guessed(tokens, count, first, position + 1, codes, nodes, forced)
                    first = position + 1
                elif state == 3:
                    count = _put(tokens, count, position, position + 1, 0)
                    first = position + 1
            if first < stop:
                count = _put_guessed(tokens, count, first, stop, codes, nodes, forced)
        elif codes[here] <= LETTERS:  # [a-zA-Z0-9]+(?:\.\d+)?%?
            while stop < end and codes[stop] <= LETTERS:
                stop += 1
            if stop + 1 < end and codes[stop] == FULL_STOP_CODE and codes[stop + 1] <= DIGITS:
                stop += 2
                while stop < end and codes[stop] <= DIGITS:
                    stop += 1
            if stop < end and codes[stop] == PERCENT_CODE:
                stop += 1
            count = _put(tokens, count, here, stop, 0)
        else:
            while stop < end and LETTERS < codes[stop] <= SYMBOLS:
                stop += 1
            count = _put(tokens, count, here, stop, 0)
        here = stop
    return count


@helper
def _cut_block(codes, begin, end, nodes, unknown, emissions, chain, forced, hmm, route, tokens):  # type: ignore[no-untyped-def]
    """Cuts one block, which has at most as many tokens as characters; returns how many."""
    length = end - begin
    _best_route(codes, begin, length, nodes, unknown, route)
    count = 0
    run = -1  # where a run of single characters began
    position = 0
    while position < length:
        stop = route[position].end
        single = stop - position == 1
        if single and (hmm or codes[begin + position] <= LETTERS):
            if run < 0:
                run = position
        else:
            if run >= 0:
                if hmm:
                    # What lies left of `position` in the route is used up, so the path may lie there.
                    path = route[run:]
                    count = _cut_singles(
                        codes, begin + run, begin + position, nodes, emissions, chain, forced, path, tokens, count
                    )
                else:
                    count = _put(tokens, count, begin + run, begin + position, 0)
                run = -1
            count = _put(tokens, count, begin + position, begin + stop, 0 if single else route[position].node)
        position = stop
    if run >= 0:
        if hmm:
            path = route[run:]
            count = _cut_singles(codes, begin + run, end, nodes, emissions, chain, forced, path, tokens, count)
        else:
            count = _put(tokens, count, begin + run, end, 0)
    return count


@helper
def _encode(points, begin, end, table, codes):  # type: ignore[no-untyped-def]
    for position in range(begin, end):
        point = points[position]
        codes[position] = table[point] if point < BASIC_PLANE else 0


@kernel(POINT, CODE, CODE, NODE, float, EMISSION, CHAIN, np.dtype("u1"), int, POSITION, TOKEN)
def cut(points, table, codes, nodes, unknown, emissions, chain, forced, hmm, route, tokens):  # type: ignore[no-untyped-def]
    """Cuts one text; `codes`, `route` (one longer) and `tokens` have room for every character; returns the tokens."""
    length = len(points)
    _encode(points, 0, length, table, codes)
    count = 0
    begin = 0
    while begin < length:
        end = begin + 1
        if codes[begin] == 0:
            if points[begin] == RETURN and end < length and points[end] == NEWLINE:
                end += 1
            count = _put(tokens, count, begin, end, 0)
        else:
            while end < length and codes[end] != 0:
                end += 1
            into = tokens[count:]
            count += _cut_block(codes, begin, end, nodes, unknown, emissions, chain, forced, hmm, route, into)
        begin = end
    return count


@kernel(CODE, NODE, TOKEN, int, TOKEN)
def expand_for_search(codes, nodes, tokens, count, out):  # type: ignore[no-untyped-def]
    """Puts before each token the dictionary's words of two and three characters inside it; `out` holds 3 a character."""
    total = 0
    for index in range(count):
        begin, end = tokens[index].begin, tokens[index].end
        for size in range(2, 4):
            if end - begin > size:
                for position in range(begin, end - size + 1):
                    if _is_word(codes, position, position + size, nodes):
                        total = _put(out, total, position, position + size, 0)
        total = _put(out, total, begin, end, tokens[index].node)
    return total


@helper
def _mark(tallies, index, document):  # type: ignore[no-untyped-def]
    tallies[index].count += 1
    if tallies[index].document != document:
        tallies[index].document = document
        tallies[index].documents += 1


@helper
def _mark_unknown(points, begin, end, document, slots, words, tallies, arena, progress):  # type: ignore[no-untyped-def]
    """Counts a word by open addressing; the caller has made sure that there is room for one more."""
    mask = np.uint64(len(slots) - 1)
    word_hash = np.uint64(0xCBF29CE484222325)
    for position in range(begin, end):
        word_hash = (word_hash ^ np.uint64(points[position])) * np.uint64(0x100000001B3)
    word_hash ^= word_hash >> np.uint64(29)
    slot = word_hash & mask
    while slots[slot] != 0:
        index = slots[slot] - 1
        if words[index].hash == word_hash and words[index].length == end - begin:
            first = words[index].begin
            same = True
            for position in range(begin, end):
                if arena[first + position - begin] != points[position]:
                    same = False
                    break
            if same:
                _mark(tallies, index, document)
                return
        slot = (slot + np.uint64(1)) & mask
    index = progress[0].unknown
    first = progress[0].arena
    slots[slot] = index + 1
    words[index].hash = word_hash
    words[index].begin = first
    words[index].length = end - begin
    tallies[index].count = 1
    tallies[index].documents = 1
    tallies[index].document = document
    for position in range(begin, end):
        arena[first + position - begin] = points[position]
    progress[0].unknown = index + 1
    progress[0].arena = first + end - begin


@kernel(UNKNOWN, int, np.dtype("i4"))
def rehash(words, count, slots):  # type: ignore[no-untyped-def]
    """Enters the words anew into empty slots, a power of two of them."""
    mask = np.uint64(len(slots) - 1)
    for index in range(count):
        slot = words[index].hash & mask
        while slots[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = index + 1
    return 0


@kernel(
    POINT, np.dtype("i8"), CODE, CODE, NODE, float, EMISSION, CHAIN, np.dtype("u1"), int, int,
    POSITION, TOKEN, int, TALLY, TALLY, np.dtype("i4"), UNKNOWN, TALLY, np.dtype("u4"), PROGRESS,
)  # fmt: skip
def tally(
    points, offsets, table, codes, nodes, unknown, emissions, chain, forced, hmm, mode,
    route, tokens, first_document, known, singles, slots, words, word_tallies, arena, progress,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Counts the tokens of documents `points[offsets[i]:offsets[i + 1]]`, from where `progress` stands.

    Returns 0 when done, or the length of a block for which route, tokens, words or arena have no room.
    """
    for index in range(progress[0].document, len(offsets) - 1):
        length = offsets[index + 1]
        begin = progress[0].position
        if begin < offsets[index]:
            begin = offsets[index]
        document = np.uint32(first_document + index)
        _encode(points, begin, length, table, codes)
        while begin < length:
            end = begin + 1
            if codes[begin] == 0 or mode == CHARACTERS:
                point = points[begin]
                if codes[begin] != 0:
                    _mark(singles, codes[begin], document)
                elif point < BASIC_PLANE:
                    if point == RETURN and mode != CHARACTERS and end < length and points[end] == NEWLINE:
                        end += 1
                    _mark(singles, SINGLES + point, document)
                else:
                    if progress[0].unknown + 1 >= len(words) or progress[0].arena + 1 >= len(arena):
                        progress[0].document = index
                        progress[0].position = begin
                        return 1
                    _mark_unknown(points, begin, end, document, slots, words, word_tallies, arena, progress)
                begin = end
                continue
            while end < length and codes[end] != 0:
                end += 1
            size = end - begin
            room = min(len(words) - progress[0].unknown, len(arena) - progress[0].arena)
            if size >= min(len(route), len(tokens) + 1) or size >= room:
                progress[0].document = index
                progress[0].position = begin
                return size
            count = _cut_block(codes, begin, end, nodes, unknown, emissions, chain, forced, hmm, route, tokens)
            for item in range(count):
                first, last, node = tokens[item].begin, tokens[item].end, tokens[item].node
                if last - first == 1:
                    _mark(singles, codes[first], document)
                    continue
                if mode == SEARCH:
                    for width in range(2, 4):
                        if last - first > width:
                            for position in range(first, last - width + 1):
                                gram = _node_of(codes, position, position + width, nodes)
                                probability = nodes[gram].log_probability
                                if gram != 0 and probability == probability:
                                    _mark(known, gram, document)
                if node == 0:
                    node = _node_of(codes, first, last, nodes)
                    probability = nodes[node].log_probability
                    if probability != probability:
                        node = 0
                if node != 0:
                    _mark(known, node, document)
                else:
                    _mark_unknown(points, first, last, document, slots, words, word_tallies, arena, progress)
            begin = end
        progress[0].position = 0
    progress[0].document = len(offsets) - 1
    return 0
