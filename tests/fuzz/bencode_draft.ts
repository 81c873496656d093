/** Bencode as others may write it: trees that are drawn, bent in ways that the format knows, and spelled with lies. */
import type { Draw } from "./draw.ts";

/** A value before it is written; texts have one char code a byte. `raw` stands as it is. */
export type Tree =
  | { raw: string }
  | { text: string }
  | { list: Tree[] }
  | { entries: [key: string, value: Tree][] };

export const text = (value: string): Tree => ({ text: value });
export const list = (...items: Tree[]): Tree => ({ list: items });
export const integer = (value: number | string): Tree => ({ raw: `i${value}e` });
export const dictionary = (entries: Record<string, Tree | undefined>): Tree => ({
  entries: Object.entries(entries).filter((entry): entry is [string, Tree] => entry[1] !== undefined),
});

/** A tree of anything. */
export function anyTree(draw: Draw, depth = 0): Tree {
  switch (draw.below(depth > 2 ? 2 : 5)) {
    case 0:
      return integer(draw.digits());
    case 1:
      return text(draw.oneIn(3) ? draw.someBytes() : draw.utf8());
    case 2:
    case 3:
      return {
        entries: draw.several(() => [draw.oneIn(4) ? draw.someBytes() : draw.utf8(), anyTree(draw, depth + 1)], 5),
      };
    default:
      return { list: draw.several(() => anyTree(draw, depth + 1), 4) };
  }
}

/** Bends a good tree now and then, in one to three places; keys of dictionaries are sorted unless they are bent. */
export function bent(draw: Draw, tree: Tree, spare: () => Tree = () => anyTree(draw, 3)): Tree {
  sortKeys(tree);
  if (draw.oneIn(3)) return tree;
  let root = tree;
  for (let changes = 1 + draw.below(3); changes > 0; changes--) {
    const places = placesIn(root);
    const place = draw.pick(places);
    if (place === undefined) root = change(draw, root, spare);
    else place.put(change(draw, place.get(), spare));
  }
  return root;
}

interface Place {
  get(): Tree;
  put(tree: Tree): void;
}

/** Where each value below the root stands; undefined is the root itself. */
function placesIn(root: Tree): (Place | undefined)[] {
  const places: (Place | undefined)[] = [undefined];
  const open = [root];
  for (let tree = open.pop(); tree !== undefined && places.length < 500; tree = open.pop()) {
    const inside = "list" in tree ? tree.list : "entries" in tree ? tree.entries : [];
    for (let i = 0; i < inside.length; i++) {
      const items = inside as (Tree | [string, Tree])[];
      const item = items[i];
      const value = Array.isArray(item) ? item[1] : item;
      places.push({
        get: () => value,
        put: (other) => void (items[i] = Array.isArray(item) ? [item[0], other] : other),
      });
      open.push(value);
    }
  }
  return places;
}

function change(draw: Draw, tree: Tree, spare: () => Tree): Tree {
  const kind = draw.below(10);
  if (kind === 0) return spare();
  if (kind === 1) return anyTree(draw, 3);
  if (kind === 2) return nested(draw, tree);
  if ("list" in tree) return { list: changedItems(draw, tree.list, spare) };
  if ("entries" in tree) return { entries: changedEntries(draw, tree.entries, spare) };
  if ("raw" in tree) return integer(draw.digits());
  switch (draw.below(4)) {
    case 0:
      return text(draw.utf8());
    case 1:
      return text(tree.text + draw.someBytes());
    case 2:
      return text(tree.text.slice(0, draw.below(tree.text.length + 1)));
    default:
      return text(tree.text.repeat(draw.oneIn(10) ? 50 : 2));
  }
}

function nested(draw: Draw, tree: Tree): Tree {
  let outer = tree;
  for (let depth = draw.oneIn(4) ? 90 + draw.below(20) : draw.below(4); depth > 0; depth--) {
    outer = draw.oneIn(3) ? { entries: [["a", outer]] } : { list: [outer] };
  }
  return outer;
}

function changedItems(draw: Draw, items: Tree[], spare: () => Tree): Tree[] {
  if (items.length === 0 || draw.oneIn(3)) return [...items, spare()];
  if (draw.oneIn(3)) return repeated(draw, items);
  return draw.oneIn(2) ? draw.shuffled(items) : items.toSpliced(draw.below(items.length), 1);
}

function changedEntries(draw: Draw, entries: [string, Tree][], spare: () => Tree): [string, Tree][] {
  if (entries.length === 0 || draw.oneIn(4)) return [...entries, [draw.utf8(), spare()]];
  const at = draw.below(entries.length);
  switch (draw.below(5)) {
    case 0:
      return draw.shuffled(entries);
    case 1:
      return entries.toSpliced(at, 1);
    case 2:
      return entries.toSpliced(at, 0, entries[draw.below(entries.length)]);
    case 3:
      return entries.with(at, [draw.pick(entries)[0], entries[at][1]]);
    default:
      return entries.with(at, [draw.utf8(), entries[at][1]]);
  }
}

/** The items some times over: twice, or as often as makes a large document. */
function repeated(draw: Draw, items: Tree[]): Tree[] {
  const times = draw.oneIn(200) ? 2000 : 2;
  return Array.from({ length: times }, () => items).flat();
}

function sortKeys(tree: Tree): void {
  if ("list" in tree) tree.list.forEach(sortKeys);
  else if ("entries" in tree) {
    tree.entries.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
    for (const [, value] of tree.entries) sortKeys(value);
  }
}

/** The bytes of a tree, one char code each; with a draw, seldom with a length that lies. */
export function spell(tree: Tree, draw?: Draw): string {
  if ("raw" in tree) return tree.raw;
  if ("text" in tree) return spellText(tree.text, draw);
  if ("list" in tree) return `l${tree.list.map((item) => spell(item, draw)).join("")}e`;
  return `d${tree.entries.map(([key, value]) => spellText(key, draw) + spell(value, draw)).join("")}e`;
}

function spellText(text: string, draw: Draw | undefined): string {
  if (draw === undefined || !draw.oneIn(300)) return `${text.length}:${text}`;
  return `${draw.pick([String(text.length + 1), String(text.length - 1), `0${text.length}`, draw.digits()])}:${text}`;
}
