import { aria2 } from "./aria2.ts";
import { testPair } from "./pair_tests.ts";

testPair(aria2);
