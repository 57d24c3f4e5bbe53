#include "worker/reports/page/style_sheet.hpp"

namespace mdl::worker::reports::page {

std::string_view style_sheet() {
  return R"css(
:root{--page:#f5f6f8;--card:#fff;--edge:#e4e7ec;--text:#161a20;--soft:#667085;--grid:#edf0f3;--axis:#c5cbd5;
--c0:#2f6bed;--c1:#e2710d;--c2:#0d9668;--c3:#b4309b;--c4:#0891a8;--c5:#d1344b;--c6:#7447d8;--c7:#8a6a12;
--good:#0d7f57;--good-soft:#e3f5ed;--busy:#1f57cf;--busy-soft:#e6eefd;--warn:#a34a06;--warn-soft:#fdeedd}
@media(prefers-color-scheme:dark){:root{--page:#0e1116;--card:#161a21;--edge:#262c36;--text:#e7eaef;--soft:#97a1b2;
--grid:#222832;--axis:#3c4554;--c0:#6f9bff;--c1:#ff9d4d;--c2:#3fd199;--c3:#ec7fd6;--c4:#3ec9de;--c5:#ff7d8d;--c6:#ae8cff;
--c7:#d9b650;--good:#5fdcab;--good-soft:#11301f;--busy:#8db1ff;--busy-soft:#162447;--warn:#ffb470;--warn-soft:#3a230e}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);font:14px/1.5 Inter,system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue","Noto Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:28px 24px 20px}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 14px;margin-bottom:18px}
h1{font-size:22px;line-height:1.25;font-weight:650;letter-spacing:-.015em;margin:0;overflow-wrap:anywhere}
header p{margin:0;color:var(--soft)}
h2{font-size:13px;line-height:1.4;font-weight:600;margin:0;overflow-wrap:anywhere}
.pill{display:inline-block;padding:1px 9px;border-radius:99px;font-size:12px;font-weight:600;margin-right:8px;
background:var(--busy-soft);color:var(--busy)}
.pill.finished{background:var(--good-soft);color:var(--good)}
.pill.stopped{background:var(--warn-soft);color:var(--warn)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin-bottom:12px}
.tile,.card{background:var(--card);border:1px solid var(--edge);border-radius:10px}
.tile{padding:12px 16px 11px}
.tile b{display:block;font-size:21px;line-height:1.3;font-weight:600;letter-spacing:-.02em}
.tile span,.tile small{display:block;font-size:12px;color:var(--soft)}
.card{padding:14px 16px 10px;min-width:0}
.head{display:flex;flex-wrap:wrap;justify-content:space-between;gap:2px 16px;align-items:baseline}
.value{color:var(--soft);font-size:12px}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(330px,100%),1fr));gap:12px;margin:12px 0}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:0;padding:0;list-style:none;font-size:12px;color:var(--soft)}
.legend i,td i{display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle;background:var(--c)}
.legend i.raw{opacity:.35}
.legend i.dotted{width:8px;height:8px;border-radius:50%}
svg{display:block;width:100%;height:auto;overflow:visible;margin-top:2px}
svg text{font-size:11px;fill:var(--soft)}
svg .m{text-anchor:middle}
svg .e{text-anchor:end}
.grid{stroke:var(--grid);fill:none;shape-rendering:crispEdges}
.axis{stroke:var(--axis);fill:none;shape-rendering:crispEdges}
.raw,.line{fill:none;stroke:var(--c);stroke-linejoin:round;stroke-linecap:round}
.raw{stroke-width:1;opacity:.32}
.line{stroke-width:1.8}
.dot{fill:var(--c)}
.nan{stroke:var(--c5);stroke-width:1.5;fill:none}
.mark path{stroke:var(--soft);stroke-dasharray:2 3;fill:none}
.best circle{fill:none;stroke:var(--c);stroke-width:1.5}
svg .best text{fill:var(--c);font-weight:600}
.at>g{opacity:0}
.at>g:hover{opacity:1}
.at rect{fill:transparent}
.at path{stroke:var(--axis);fill:none;shape-rendering:crispEdges}
.at text{fill:var(--text);paint-order:stroke;stroke:var(--card);stroke-width:6px;stroke-linejoin:round}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}
.c4{--c:var(--c4)}.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}
.c8{--c:var(--c0)}.c9{--c:var(--c1)}.c10{--c:var(--c2)}.c11{--c:var(--c3)}
.c12{--c:var(--c4)}.c13{--c:var(--c5)}.c14{--c:var(--c6)}.c15{--c:var(--c7)}
.line:is(.c8,.c9,.c10,.c11,.c12,.c13,.c14,.c15){stroke-dasharray:5 4}
.charts.two{grid-template-columns:1fr 1fr}
.narrow{display:none}
.tables{columns:2 420px;column-gap:12px}
.tables .card{break-inside:avoid;margin-bottom:12px;padding-bottom:12px}
table{border-collapse:collapse;width:100%;margin-top:8px;font-size:13px}
th,td{text-align:left;vertical-align:top;padding:4px 12px 4px 0;border-top:1px solid var(--grid);overflow-wrap:anywhere}
th{font-weight:400;color:var(--soft);width:38%}
thead th{width:auto;border-top:0;font-size:12px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr));gap:0 36px}
.scroll{overflow-x:auto}
.runs{margin-bottom:12px}
.runs td,.runs th{white-space:nowrap}
.runs td:first-child{white-space:normal;min-width:9em}
pre{margin:8px 0 0;font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;
overflow-wrap:anywhere;color:var(--soft)}
summary{cursor:pointer;font-size:13px;font-weight:600}
footer{color:var(--soft);font-size:12px;margin-top:8px}
@media(max-width:640px){main{padding:18px 12px}.wide{display:none}.narrow{display:block}
.tiles{grid-template-columns:repeat(2,1fr)}.tile b{font-size:18px}.card{padding:12px 12px 8px}
.charts.two{grid-template-columns:1fr}.two svg text{font-size:15px}}
@media print{:root{--page:#fff;--card:#fff;--edge:#ccd2da;--text:#000;--soft:#4c5566;--grid:#e6e9ee;--axis:#99a2b0;
--c0:#2f6bed;--c1:#e2710d;--c2:#0d9668;--c3:#b4309b;--c4:#0891a8;--c5:#d1344b;--c6:#7447d8;--c7:#8a6a12}
main{padding:0;max-width:none}.tile,.card{break-inside:avoid}.wide{display:block}.narrow{display:none}
.charts{grid-template-columns:1fr 1fr}.at{display:none}}
)css";
}

std::string_view style_hash() {
  return "cBKYETmKQWSpBejox2YFH9GviXILZAXhF/eIHKY8J8I=";
}

}  // namespace mdl::worker::reports::page
