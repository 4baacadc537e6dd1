# mypy: allow-untyped-defs, allow-untyped-calls
"""The compiled inner loops of segmentation and counting; every number and every tie is jieba 0.42.1's.

A character's code tells its class: 0 stands outside jieba's blocks, to LETTERS an ASCII letter or digit, to
SYMBOLS one of `+#&._%-`, above it Han. Nothing is allocated here: a kernel without room says how much it needs.
"""

import numpy as np

from transforms.compiled import helper, kernel

LETTERS = 62
SYMBOLS = 69
BASIC_PLANE = 0x10000
# The tallies: one-character tokens with a code, from OTHERS on the others by code point, from WORDS_FROM on words.
OTHERS = 0x8000
WORDS_FROM = OTHERS + BASIC_PLANE
DIGITS = 10  # digits have the first codes
FULL_STOP_CODE, PERCENT_CODE = 63, 64
RETURN, NEWLINE = ord("\r"), ord("\n")
WORDS, SEARCH, CHARACTERS = 0, 1, 2
MISSING = 0xFFFFFFFE

CODE = np.dtype("u2")
POINT = np.dtype("u4")
NODE = np.dtype([("base", "u4"), ("check", "u4"), ("word", "u4")])  # word 0 where none ends
FIRST = np.dtype([("base", "u4"), ("node", "u4"), ("score", "f8")])  # the root's children by code, or MISSING
EMISSION = np.dtype([("begin", "f8"), ("end", "f8"), ("middle", "f8"), ("single", "f8")])
CHAIN = np.dtype(  # start and transition log probabilities of the hidden Markov model
    [(name, "f8") for name in ("begin", "end", "middle", "single", "eb", "sb", "mm", "bm", "ss", "es", "be", "me")]
)
POSITION = np.dtype([("score", "f8"), ("end", "u4"), ("tally", "u4")])  # the best route from a position of a block
TOKEN = np.dtype([("begin", "u4"), ("end", "u4"), ("tally", "u4")])  # tally 0: not looked up
TALLY = np.dtype([("count", "i8"), ("documents", "u4"), ("document", "u4")])  # document: the last one seen, from 1
UNKNOWN = np.dtype([("hash", "u8"), ("begin", "i8"), ("length", "i8")])  # where the word lies in the arena
PROGRESS = np.dtype([("document", "i8"), ("position", "i8"), ("unknown", "i8"), ("arena", "i8")])


# Hot loops index with unsigned numbers: of a signed one Numba asks each time whether it counts from the end.
@helper
def _encode(points, begin, end, table, first, nodes, codes, second):
    """Fills the codes of a text, and for each position the node that it and the next character lead to, or 0.

    Without a branch that depends on the text: half of these steps miss the nearest caches, and so they overlap.
    """
    for position in range(begin, end):
        point = points[position]
        codes[position] = table[point] if point < BASIC_PLANE else 0
    if begin == end:
        return
    for position in range(begin, end - 1):
        root = first[codes[position]]
        node = root.base + codes[position + 1]
        second[position] = node if nodes[node].check == root.node else np.uint64(0)
    second[end - 1] = 0


@helper
def _best_route(codes, second, first, nodes, scores, unknown, route):
    """Fills the route of one block right to left; scores are added in jieba's order, ties go to the longer word.

    What is no word has the score NaN, or minus infinity for a character that is not there: it never wins.
    """
    following = 0.0
    length = np.uint64(len(codes))
    route[length].score = 0.0
    position = length
    while position > 0:
        here = position + np.uint64(1)
        best_end = position
        position -= np.uint64(1)
        code = codes[position]
        best = first[code].score + following
        best_tally = np.uint64(code)
        node = np.uint64(second[position])
        if node != 0:
            while True:
                word = nodes[node].word
                score = scores[word] + route[here].score
                wins = score >= best
                best = score if wins else best
                best_end = here if wins else best_end
                best_tally = np.uint64(WORDS_FROM) + word if wins else best_tally
                if here == length:
                    break
                child = nodes[node].base + codes[here]
                if nodes[child].check != node:
                    break
                node = child
                here += np.uint64(1)
        if best == -np.inf:
            best = unknown + following
        route[position].score = best
        route[position].end = best_end
        route[position].tally = best_tally
        following = best


@helper
def _node_of(codes, begin, end, nodes):
    """The node of codes[begin:end], 0 where the trie has no such path."""
    node = np.uint64(0)
    for position in range(begin, end):
        base, code = nodes[node].base, codes[position]
        if base == 0 or code == 0 or nodes[base + code].check != node:
            return np.uint64(0)
        node = base + code
    return node


@helper
def _viterbi(codes, begin, end, emissions, chain, path):
    """Fills path[0..end-begin].tally with the states B 0, E 1, M 2, S 3; ties go to the greater letter, as in jieba."""
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
        path[position].tally = back
    state = 1 if ve > vs else 3
    for position in range(length - 1, 0, -1):
        previous = (int(path[position].tally) >> (2 * state)) & 3
        path[position].tally = state
        state = previous
    path[0].tally = state


@helper
def _put(tokens, count, begin, end, tally):
    tokens[count].begin = begin
    tokens[count].end = end
    tokens[count].tally = tally
    return count + 1


@helper
def _put_guessed(tokens, count, begin, end, codes, nodes, forced):
    """Adds a word of the hidden Markov model; one that a user dictionary gave frequency 0 falls into characters."""
    if len(forced) > 1 and forced[_node_of(codes, begin, end, nodes)]:
        for position in range(begin, end):
            count = _put(tokens, count, position, position + 1, codes[position])
        return count
    return _put(tokens, count, begin, end, codes[begin] if end - begin == 1 else 0)


@helper
def _cut_singles(codes, begin, end, nodes, emissions, chain, forced, path, tokens, count):
    """Cuts a run of single characters as jieba's `finalseg.cut`, unless the whole run is a word of the dictionary."""
    if nodes[_node_of(codes, begin, end, nodes)].word != 0:
        for position in range(begin, end):
            count = _put(tokens, count, position, position + 1, codes[position])
        return count
    here = begin
    while here < end:
        stop = here + 1
        if codes[here] > SYMBOLS:
            while stop < end and codes[stop] > SYMBOLS:
                stop += 1
            _viterbi(codes, here, stop, emissions, chain, path)
            start = here
            for position in range(here, stop):
                state = path[position - here].tally
                if state == 0:
                    start = position
                elif state == 1:
                    count = _put_guessed(tokens, count, start, position + 1, codes, nodes, forced)
                    start = position + 1
                elif state == 3:
                    count = _put(tokens, count, position, position + 1, codes[position])
                    start = position + 1
            if start < stop:
                count = _put_guessed(tokens, count, start, stop, codes, nodes, forced)
        elif codes[here] <= LETTERS:  # [a-zA-Z0-9]+(?:\.\d+)?%?
            while stop < end and codes[stop] <= LETTERS:
                stop += 1
            if stop + 1 < end and codes[stop] == FULL_STOP_CODE and codes[stop + 1] <= DIGITS:
                stop += 2
                while stop < end and codes[stop] <= DIGITS:
                    stop += 1
            if stop < end and codes[stop] == PERCENT_CODE:
                stop += 1
            count = _put(tokens, count, here, stop, codes[here] if stop - here == 1 else 0)
        else:
            while stop < end and LETTERS < codes[stop] <= SYMBOLS:
                stop += 1
            count = _put(tokens, count, here, stop, codes[here] if stop - here == 1 else 0)
        here = stop
    return count


@helper
def _cut_block(codes, second, begin, end, first, nodes, scores, unknown, emissions, chain, forced, hmm, route, tokens):
    """Cuts one block, which has at most as many tokens as characters; returns how many."""
    length = end - begin
    _best_route(codes[begin:end], second[begin:end], first, nodes, scores, unknown, route)
    joins = OTHERS if hmm else LETTERS + 1  # runs of single characters below this code are looked at together
    count = 0
    position = 0
    while position < length:
        stop = int(route[position].end)
        tally = route[position].tally
        if tally < joins and stop < length and route[stop].tally < joins:
            while stop < length and route[stop].tally < joins:
                stop += 1
            if hmm:
                # What lies left of `stop` in the route is used up, so the path may lie there.
                path = route[position:stop]
                count = _cut_singles(
                    codes, begin + position, begin + stop, nodes, emissions, chain, forced, path, tokens, count
                )
            else:
                count = _put(tokens, count, begin + position, begin + stop, 0)
        else:
            count = _put(tokens, count, begin + position, begin + stop, tally)
        position = stop
    return count


@helper
def _block_end(codes, begin, length):
    end = begin + 1
    while end < length and codes[end] != 0:
        end += 1
    return end


@helper
def _cut_blocks(
    points, begin, length, codes, second, first, nodes, scores, unknown, emissions, chain, forced, hmm, mode,
    route, tokens,
):  # fmt: skip
    """Cuts blocks from `begin` on until the text ends or a block might not fit; returns where, and how many tokens.

    White space is left out.
    """
    count = 0
    stop = min(length, begin + len(tokens))  # a turn is bounded, white space or not
    while begin < stop:
        if codes[begin] == 0 or mode == CHARACTERS:
            if count == len(tokens):
                break
            point, tally = points[begin], int(codes[begin])
            if tally == 0 and point < BASIC_PLANE:
                tally = OTHERS + int(point)
            if codes[begin] != 0 or not _is_space(point):
                count = _put(tokens, count, begin, begin + 1, tally)
            begin += 1
            continue
        end = _block_end(codes, begin, length)
        if end - begin > len(tokens) - count or end - begin >= len(route):
            break
        into = tokens[count:]
        count += _cut_block(
            codes, second, begin, end, first, nodes, scores, unknown, emissions, chain, forced, hmm, route, into
        )
        begin = end
    return begin, count


@kernel(
    POINT,
    CODE,
    CODE,
    np.dtype("u4"),
    FIRST,
    NODE,
    np.dtype("f8"),
    float,
    EMISSION,
    CHAIN,
    np.dtype("u1"),
    int,
    POSITION,
    TOKEN,
)
def cut(points, table, codes, second, first, nodes, scores, unknown, emissions, chain, forced, hmm, route, tokens):
    """Cuts one text; `codes`, `route` (one longer) and `tokens` have room for every character; returns the tokens."""
    length = len(points)
    _encode(points, 0, length, table, first, nodes, codes, second)
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
            count += _cut_block(
                codes, second, begin, end, first, nodes, scores, unknown, emissions, chain, forced, hmm, route, into
            )
        begin = end
    return count


@kernel(CODE, NODE, TOKEN, int, TOKEN)
def expand_for_search(codes, nodes, tokens, count, out):
    """Puts before each token the words of two and three characters inside it; `out` has room for 3 a character."""
    total = 0
    for index in range(count):
        begin, end = np.int64(tokens[index].begin), np.int64(tokens[index].end)
        for size in range(2, 4):
            if end - begin > size:
                for position in range(begin, end - size + 1):
                    if nodes[_node_of(codes, position, position + size, nodes)].word != 0:
                        total = _put(out, total, position, position + size, 0)
        total = _put(out, total, begin, end, tokens[index].tally)
    return total


@helper
def _is_space(point):
    """What `str.isspace` calls white space."""
    if point < 0x85:
        return point == 0x20 or 0x09 <= point <= 0x0D or 0x1C <= point <= 0x1F
    return (
        point == 0x85
        or point == 0xA0
        or point == 0x1680
        or 0x2000 <= point <= 0x200A
        or point == 0x2028
        or point == 0x2029
        or point == 0x202F
        or point == 0x205F
        or point == 0x3000
    )


@helper
def _mark(tallies, index, document):
    tallies[index].count += 1
    # Added, not branched on: whether a document holds a word already is hard to foresee.
    tallies[index].documents += np.uint32(tallies[index].document != document)
    tallies[index].document = document


@helper
def _mark_grams(codes, begin, end, nodes, tallies, document):
    """Counts the words of two and three characters inside a longer one; returns how many there are."""
    count = 0
    for size in range(2, 4):
        if end - begin > size:
            for position in range(begin, end - size + 1):
                word = nodes[_node_of(codes, position, position + size, nodes)].word
                if word != 0:
                    _mark(tallies, WORDS_FROM + word, document)
                    count += 1
    return count


@helper
def _mark_unknown(points, begin, end, document, slots, words, tallies, arena, progress):
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
def rehash(words, count, slots):
    """Enters the words anew into empty slots, a power of two of them."""
    mask = np.uint64(len(slots) - 1)
    for index in range(count):
        slot = words[index].hash & mask
        while slots[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = index + 1
    return 0


@kernel(
    POINT,
    np.dtype("i8"),
    CODE,
    CODE,
    np.dtype("u4"),
    FIRST,
    NODE,
    np.dtype("f8"),
    float,
    EMISSION,
    CHAIN,
    np.dtype("u1"),
    int,
    int,
    POSITION,
    TOKEN,
    int,
    TALLY,
    np.dtype("i4"),
    UNKNOWN,
    TALLY,
    np.dtype("u4"),
    PROGRESS,
    np.dtype("i8"),
)
def tally(
    points,
    offsets,
    table,
    codes,
    second,
    first,
    nodes,
    scores,
    unknown,
    emissions,
    chain,
    forced,
    hmm,
    mode,
    route,
    tokens,
    first_document,
    tallies,
    slots,
    words,
    word_tallies,
    arena,
    progress,
    totals,
):
    """Counts the tokens of documents `points[offsets[i]:offsets[i + 1]]`, from where `progress` stands.

    `totals[i]` grows by the tokens of document i, white space left out. Returns 0 when done, or the length of a block
    for which route, tokens, words or arena have no room.
    """
    for item in range(progress[0].document, len(offsets) - 1):
        length = offsets[item + 1]
        begin = max(progress[0].position, offsets[item])
        document = np.uint32(first_document + item)
        _encode(points, begin, length, table, first, nodes, codes, second)
        while begin < length:
            # Cut and count in turns of many blocks: the look-ups of a long loop overlap.
            end, count = _cut_blocks(
                points, begin, length, codes, second, first, nodes, scores, unknown, emissions, chain, forced, hmm,
                mode, route, tokens,
            )  # fmt: skip
            room = min(len(words) - progress[0].unknown, len(arena) - progress[0].arena)
            if end == begin or end - begin >= room:
                progress[0].document, progress[0].position = item, begin
                return max(end, _block_end(codes, begin, length)) - begin
            totals[item] += count
            for token in tokens[:count]:
                start, last, index = np.int64(token.begin), np.int64(token.end), token.tally
                if mode == SEARCH:
                    totals[item] += _mark_grams(codes, start, last, nodes, tallies, document)
                if index == 0:
                    word = nodes[_node_of(codes, start, last, nodes)].word
                    if word == 0:
                        _mark_unknown(points, start, last, document, slots, words, word_tallies, arena, progress)
                        continue
                    index = np.uint32(WORDS_FROM + word)
                _mark(tallies, index, document)
            begin = end
        progress[0].position = 0
    return 0
