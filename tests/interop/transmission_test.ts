import { transmission } from "./transmission.ts";
import { testPair } from "./pair_tests.ts";

testPair(transmission);
