"""Covering arrays: few rows in which every pair of choices occurs."""

import itertools


def covering_array(choices, refused=lambda row: False):
    """Rows in which each pair of choices occurs, chosen greedily.

    Args:
      choices: the values of each name.
      refused: whether a row, in which a name that is not chosen yet has None, cannot be.
    """
    names = list(choices)
    undecided = dict.fromkeys(choices)
    pairs = {frozenset(pair) for pair in sensible_pairs(choices, refused)}
    rows = []
    while pairs:
        row = dict(min(pairs, key=lambda pair: sorted(map(str, pair))))
        for name in names:
            if name not in row:
                row[name] = max(
                    (
                        value
                        for value in choices[name]
                        if not refused({**undecided, **row, name: value})
                    ),
                    key=lambda value: sum(
                        frozenset({item, (name, value)}) in pairs for item in row.items()
                    ),
                )
        pairs -= {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}
        rows.append({name: row[name] for name in names})
    return rows


def one_of_each(rows):
    """As few of the rows as greed finds in which every choice occurs that occurs in any."""
    missing, found = {item for row in rows for item in row.items()}, []
    while missing:
        found.append(max(rows, key=lambda row: len(missing & row.items())))
        missing -= found[-1].items()
    return found


def sensible_pairs(choices, refused=lambda row: False):
    """All pairs of (name, choice) that are not refused."""
    undecided = dict.fromkeys(choices)
    for a, b in itertools.combinations(choices, 2):
        for x, y in itertools.product(choices[a], choices[b]):
            if not refused({**undecided, a: x, b: y}):
                yield (a, x), (b, y)
