# mypy: allow-untyped-defs, allow-untyped-calls
"""The compiled inner loops of counting: texts are cut block by block, and each token is counted where it stands.

Nothing is allocated here: a kernel without room says how much it needs.
"""

import numpy as np

from transforms.compiled import helper, kernel
from transforms.segmentation.cut_kernels import cut_block, encode, node_of, put
from transforms.segmentation.layout import (
    BASIC_PLANE,
    CHAIN,
    CHARACTERS,
    CODE,
    EMISSION,
    FIRST,
    NODE,
    OTHERS,
    POINT,
    POSITION,
    PROGRESS,
    SEARCH,
    TALLY,
    TOKEN,
    UNKNOWN,
    WORDS_FROM,
)


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
                count = put(tokens, count, begin, begin + 1, tally)
            begin += 1
            continue
        end = _block_end(codes, begin, length)
        if end - begin > len(tokens) - count or end - begin >= len(route):
            break
        into = tokens[count:]
        count += cut_block(
            codes, second, begin, end, first, nodes, scores, unknown, emissions, chain, forced, hmm, route, into
        )
        begin = end
    return begin, count


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
                word = nodes[node_of(codes, position, position + size, nodes)].word
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
        encode(points, begin, length, table, first, nodes, codes, second)
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
                    word = nodes[node_of(codes, start, last, nodes)].word
                    if word == 0:
                        _mark_unknown(points, start, last, document, slots, words, word_tallies, arena, progress)
                        continue
                    index = np.uint32(WORDS_FROM + word)
                _mark(tallies, index, document)
            begin = end
        progress[0].position = 0
    return 0
