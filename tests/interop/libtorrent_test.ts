import { libtorrent } from "./libtorrent.ts";
import { testPair } from "./pair_tests.ts";

testPair(libtorrent);
