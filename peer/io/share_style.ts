/** The looks of a share's page: one style sheet, light and dark, named in the page's policy by its hash. */
import { createHash } from "node:crypto";

/** The style sheet, as it stands in the page. */
export const pageStyle = `
:root{color-scheme:light dark;--paper:#f6f5f1;--card:#fff;--ink:#1d2320;--soft:#5c6660;--line:#e3e1d8;--leaf:#1f7a4d;
--leaf-ink:#fff;--code:#f1f0ea;--shade:0 1px 2px rgba(20,30,25,.05),0 8px 24px rgba(20,30,25,.06)}
@media (prefers-color-scheme:dark){:root{--paper:#121614;--card:#1a201d;--ink:#e8ece9;--soft:#9ba8a1;--line:#2b332f;
--leaf:#4cc38a;--leaf-ink:#0c1510;--code:#111513;--shade:0 1px 2px rgba(0,0,0,.4)}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
-webkit-text-size-adjust:100%}
main,footer{max-width:46rem;margin:0 auto;padding:0 1.25rem}
main{padding-top:clamp(1.5rem,6vw,4rem)}
.brand{display:flex;align-items:center;gap:.6rem;font-weight:600;letter-spacing:-.01em;color:var(--soft)}
.brand svg{width:1.6rem;height:1.6rem;color:var(--leaf)}
h1{font-size:clamp(1.7rem,6vw,2.5rem);line-height:1.15;letter-spacing:-.025em;margin:1.1rem 0 .4rem;overflow-wrap:anywhere}
.lead{margin:0 0 1.75rem;color:var(--soft);font-size:1.05rem}
section{background:var(--card);border:1px solid var(--line);border-radius:14px;box-shadow:var(--shade);
padding:1.25rem 1.35rem;margin:0 0 1.1rem}
h2{font-size:1.15rem;line-height:1.3;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}
h3{font-size:1rem;margin:0 0 .25rem}
p{margin:.25rem 0 .7rem}
.facts{color:var(--soft);margin:.15rem 0 1rem}
.actions{display:flex;flex-wrap:wrap;gap:.6rem;margin:0}
.button{display:inline-block;padding:.55rem 1rem;border-radius:9px;border:1px solid var(--line);color:var(--ink);
text-decoration:none;font-weight:550}
.button.first{background:var(--leaf);border-color:var(--leaf);color:var(--leaf-ink)}
.button:hover{filter:brightness(1.06)}
.button:focus-visible,summary:focus-visible,a:focus-visible{outline:3px solid var(--leaf);outline-offset:2px}
details{margin-top:1rem;border-top:1px solid var(--line);padding-top:.8rem}
summary{cursor:pointer;color:var(--soft);border-radius:4px}
.files{list-style:none;margin:.6rem 0 0;padding:0;font-size:.93rem}
.files li{display:flex;gap:1rem;justify-content:space-between;padding:.3rem 0;border-bottom:1px solid var(--line)}
.files li:last-child{border:0}
.files bdi{overflow-wrap:anywhere;min-width:0}
.files span{color:var(--soft);white-space:nowrap;font-variant-numeric:tabular-nums}
ol{list-style:none;margin:0;padding:0;counter-reset:way}
ol>li{counter-increment:way;position:relative;padding-left:2.5rem;margin:0 0 1.4rem}
ol>li:last-child{margin-bottom:.1rem}
ol>li::before{content:counter(way);position:absolute;left:0;top:.05rem;width:1.65rem;height:1.65rem;border-radius:50%;
display:grid;place-items:center;background:var(--code);color:var(--soft);font-size:.85rem;font-weight:650}
pre{margin:.45rem 0 .6rem;padding:.75rem .9rem;background:var(--code);border:1px solid var(--line);border-radius:9px;
white-space:pre-wrap;overflow-wrap:anywhere;
font:.88rem/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;user-select:all;-webkit-user-select:all}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.small{font-size:.88rem;color:var(--soft)}
.small code{overflow-wrap:anywhere}
a{color:var(--leaf)}
footer{color:var(--soft);font-size:.88rem;padding-top:.6rem;padding-bottom:3rem}
`;

const styleHash = createHash("sha256").update(pageStyle).digest("base64");

/** Headers of the page: nothing is loaded, nothing runs, nobody frames it, no address leaves it. */
export const pageHeaders =
  `Content-Security-Policy: default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; ` +
  "frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\nX-Frame-Options: DENY\r\n" +
  "Cross-Origin-Resource-Policy: same-origin\r\n";
