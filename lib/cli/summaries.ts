/** A line about each command, in the order of the help: apart from the commands, so that the help need not load them. */

export const summaries = {
  share: "share a file or a folder with everybody on this network",
  get: "take what others on this network share",
  create: "make a .torrent file of a file or a folder",
  info: "show what is in a torrent or a magnet link",
  verify: "check data on disk against a torrent",
  tracker: "run a tracker: peers announce themselves to it and find each other",
  seed: "share the files of a torrent",
  download: "fetch the files of a torrent",
  demo: "watch a small swarm at work on this computer",
} as const;

export type CommandName = keyof typeof summaries;
