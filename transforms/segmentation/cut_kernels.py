# mypy: allow-untyped-defs, allow-untyped-calls
"""The compiled inner loops of segmentation; every number and every tie is jieba 0.42.1's.

Nothing is allocated here: a kernel without room says how much it needs.
"""

import numpy as np

from transforms.compiled import helper, kernel
from transforms.segmentation.layout import (
    BASIC_PLANE,
    CHAIN,
    CODE,
    DIGITS,
    EMISSION,
    FIRST,
    FULL_STOP_CODE,
    LETTERS,
    NEWLINE,
    NODE,
    OTHERS,
    PERCENT_CODE,
    POINT,
    POSITION,
    RETURN,
    SYMBOLS,
    TOKEN,
    WORDS_FROM,
)


# Hot loops index with unsigned numbers: of a signed one Numba asks each time whether it counts from the end.
@helper
def encode(points, begin, end, table, first, nodes, codes, second):
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
def node_of(codes, begin, end, nodes):
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
def put(tokens, count, begin, end, tally):
    """Writes a token behind `count` others; returns how many there are."""
    tokens[count].begin = begin
    tokens[count].end = end
    tokens[count].tally = tally
    return count + 1


@helper
def _put_guessed(tokens, count, begin, end, codes, nodes, forced):
    """Adds a word of the hidden Markov model; one that a user dictionary gave frequency 0 falls into characters."""
    if len(forced) > 1 and forced[node_of(codes, begin, end, nodes)]:
        for position in range(begin, end):
            count = put(tokens, count, position, position + 1, codes[position])
        return count
    return put(tokens, count, begin, end, codes[begin] if end - begin == 1 else 0)


@helper
def _cut_singles(codes, begin, end, nodes, emissions, chain, forced, path, tokens, count):
    """Cuts a run of single characters as jieba's `finalseg.cut`, unless the whole run is a word of the dictionary."""
    if nodes[node_of(codes, begin, end, nodes)].word != 0:
        for position in range(begin, end):
            count = put(tokens, count, position, position + 1, codes[position])
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
                    count = put(tokens, count, position, position + 1, codes[position])
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
            count = put(tokens, count, here, stop, codes[here] if stop - here == 1 else 0)
        else:
            while stop < end and LETTERS < codes[stop] <= SYMBOLS:
                stop += 1
            count = put(tokens, count, here, stop, codes[here] if stop - here == 1 else 0)
        here = stop
    return count


@helper
def cut_block(codes, second, begin, end, first, nodes, scores, unknown, emissions, chain, forced, hmm, route, tokens):
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
                count = put(tokens, count, begin + position, begin + stop, 0)
        else:
            count = put(tokens, count, begin + position, begin + stop, tally)
        position = stop
    return count


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
    encode(points, 0, length, table, first, nodes, codes, second)
    count = 0
    begin = 0
    while begin < length:
        end = begin + 1
        if codes[begin] == 0:
            if points[begin] == RETURN and end < length and points[end] == NEWLINE:
                end += 1
            count = put(tokens, count, begin, end, 0)
        else:
            while end < length and codes[end] != 0:
                end += 1
            into = tokens[count:]
            count += cut_block(
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
                    if nodes[node_of(codes, position, position + size, nodes)].word != 0:
                        total = put(out, total, position, position + size, 0)
        total = put(out, total, begin, end, tokens[index].tally)
    return total
