"""--dashboard: the page of a job in a real browser (Debian's Chromium): what is drawn is what was sent, and strangers get nothing."""

import contextlib
import json
import re
import socket
from urllib.parse import urlsplit

import pytest

from browser import Browser
from launching import environment, free_port, launch, running, shell, wait_until
from shown import Shown, needs_browser


@pytest.fixture
def shown(tmp_path):
    return Shown(tmp_path)


def drawn_points(browser, name):
    """(step, value) of a curve's corners, from where they are drawn and the ends of the axes."""
    path, x, y = browser.value(
        f"""(() => {{ const svg = document.querySelector('svg[data-name="{name}"]'), line = svg.querySelector('path.{name}');
            return [line.getAttribute('d'), svg.dataset.x, svg.dataset.y]; }})()"""
    )
    low, high, left, right = map(float, x.split())
    least, most, bottom, top = map(float, y.split())
    for at, of in re.findall(r"[ML]([\d.]+) ([\d.]+)", path):
        yield low + (float(at) - left) / (right - left) * (high - low), least + (float(of) - bottom) / (top - bottom) * (most - least)


def drawn_bars(browser, kind):
    """Of each rank that has one, the seconds that its bar is long."""
    path, y = browser.value(
        f"""(() => {{ const svg = document.querySelector('svg[data-name="ranks"]');
            return [svg.querySelector('path.{kind}').getAttribute('d'), svg.dataset.y]; }})()"""
    )
    _, most, bottom, top = map(float, y.split())
    for begin, end in re.findall(r"M[\d.]+ ([\d.]+)h[\d.]+V([\d.]+)", path):
        yield (float(begin) - float(end)) / (bottom - top) * most


CELLS = """[...document.querySelectorAll('.cell')].map((cell) => [cell.dataset.rank, cell.querySelector('.step').textContent,
    [...cell.querySelectorAll('.mark')].map((mark) => mark.textContent).join(' ')])"""
ALL_DONE = "document.querySelector('#tiles b')?.textContent === '12' && document.querySelectorAll('svg .eval_loss').length > 0"


@needs_browser
def test_what_is_drawn_is_what_four_workers_have_sent(shown):
    with shown.job() as job, Browser() as browser:
        browser.open(shown.url)
        browser.wait_for(ALL_DONE)
        browser.wait_for("document.querySelector('[data-rank=\"2\"] .mark') !== null")
        # The job in a line, and how it gets on.
        told = shown.status()
        facts = browser.value("document.getElementById('facts').textContent")
        assert facts == f"localhost:{shown.port} · round 0 · 1 node · 4 ranks · restarts: 0"
        assert browser.value("[document.title, document.getElementById('how').textContent]") == ["j · worker.py · running", "running"]
        tiles = browser.value("[...document.querySelectorAll('.tile')].map((tile) => tile.innerText.split('\\n').slice(0, 2))")
        assert tiles[0] == ["Step", "12"] and ["Loss", "0.1667"] in tiles
        assert browser.value("document.querySelector('progress').value") == 0.5
        slowest = browser.value("document.getElementById('slowest').textContent")
        host = told["ranks"][0]["host"]
        assert slowest == f"Slowest: rank 3 on {host}, 0.5 s of its own a step; the median is 0.25 s"
        # Ranks, and their times.
        assert browser.value(CELLS) == [["0", "12", ""], ["1", "12", ""], ["2", "12", "evaluation <b>"], ["3", "12", "slow"]]
        assert list(drawn_bars(browser, "own")) == pytest.approx([0.25, 0.25, 0.25, 0.5], abs=0.01)
        assert list(drawn_bars(browser, "waiting")) == pytest.approx([0.125] * 4, abs=0.01)
        # Curves: at least each second a point, and each of them is one that was sent.
        sent = {
            "loss": lambda step: 2 / step,
            "learning_rate": lambda step: 1e-4 * (1 - step / 24),
            "grad_norm": lambda step: 0.5 + step / 10,
        }
        for name, value in sent.items():
            points = list(drawn_points(browser, name))
            assert len(points) >= 3 and points[-1][0] == pytest.approx(12)
            spread = abs(value(1) - value(12))
            for step, drawn in points:
                assert step == pytest.approx(round(step), abs=0.06) and drawn == pytest.approx(value(round(step)), abs=0.01 * spread), name
        evaluations = list(drawn_points(browser, "eval_loss"))
        assert evaluations[-1] == pytest.approx((10, 0.3), abs=0.01)
        # What has happened.
        events = browser.value("[...document.querySelectorAll('#event-list li')].map((line) => line.lastElementChild.textContent)")
        assert events == [event["text"] for event in reversed(told["events"])] and "round 0 begins" in events[-1]
        # Last lines of stderr, as text.
        browser.value("document.querySelector('[data-rank=\"2\"]').click()")
        browser.wait_for("document.getElementById('lines').textContent === 'rank 2 says <i>hello</i>'")
        assert browser.value("document.querySelectorAll('pre i, .cell b b, .mark b').length") == 0
        detail = browser.value(
            "Object.fromEntries([...document.querySelectorAll('#detail-rows tr')].map((row) => [...row.children].map((cell) => cell.textContent)))"
        )
        assert detail["Step"] == "12 / 24" and detail["Samples"] == "96" and detail["Section"].startswith("evaluation <b>, for ")
        shown.end()
        browser.wait_for("document.getElementById('how').textContent === 'succeeded'")
        assert job.wait(60) == 0
        browser.wait_for("document.getElementById('notice').textContent.startsWith('The job has ended')")
        refused = [text for text in browser.complaints if "ERR_CONNECTION_REFUSED" in text or "ERR_INCOMPLETE" in text]
        assert browser.complaints == refused and {urlsplit(url).netloc for url in browser.requests} == {urlsplit(shown.url).netloc}


@needs_browser
def test_the_page_of_a_job_of_one_node_that_fails_says_why(shown):
    with shown.job("--standalone", step=0.01) as job, Browser() as browser:
        browser.open(shown.url)
        browser.wait_for(ALL_DONE)
        shown.end(code=3)
        cause = browser.wait_for("document.getElementById('cause').textContent")
        assert re.match(r"rank [0-3] on \S+: exit code 3", cause)
        assert browser.value("document.getElementById('facts').textContent").endswith(" · round 0 · 1 node · 4 ranks · restarts: 0")
        assert browser.value("document.getElementById('how').textContent") == "failed"
        assert job.wait(60) == 1


@needs_browser
def test_the_page_obeys_the_keyboard_and_speaks_chinese_in_the_dark(shown):
    with shown.job(step=0.01), Browser(language="zh-CN") as browser:
        browser.dark()
        browser.open(shown.url)
        browser.wait_for(ALL_DONE)
        assert browser.value("[document.documentElement.lang, document.getElementById('how').textContent]") == ["zh-CN", "运行中"]
        assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 22)"
        browser.press("/")
        browser.write("2-3")
        assert browser.wait_for("document.querySelectorAll('.cell').length === 2")
        browser.press("Escape")
        assert browser.wait_for("document.querySelectorAll('.cell').length === 4")
        assert browser.value("document.activeElement.dataset.rank") == "2"
        browser.press("ArrowRight")
        assert browser.value("document.activeElement.dataset.rank") == "3"
        browser.press("Home")
        browser.press("Enter")
        assert browser.value("document.getElementById('detail-title').textContent") == "Rank 0"
        browser.press("Escape")
        assert browser.value("[document.getElementById('detail').hidden, document.activeElement.dataset.rank]") == [True, "0"]
        browser.value("document.querySelector('[data-mark=slow]').click()")
        assert browser.value(CELLS) == [["3", "12", "慢"]]
        browser.value("document.getElementById('language').click()")
        assert browser.value(CELLS) == [["3", "12", "slow"]]
        # What has no name for those who do not see it, or cannot be reached by keys, is not there.
        nameless = (
            "[...document.querySelectorAll('button, input, svg[role=img]')].filter((it) => !it.textContent.trim() && !it.ariaLabel).length"
        )
        assert browser.value(nameless) == 0 and browser.complaints == []


@needs_browser
@pytest.mark.parametrize("per_node", [8, 80])
def test_a_thousand_ranks_and_ten_thousand_are_a_list_that_is_drawn_as_far_as_it_is_seen(shown, per_node, record_property):
    ranks = 125 * per_node
    with shown.simulated({777, ranks - 1}, per_node), Browser() as browser:
        browser.open(shown.url)
        browser.wait_for("document.querySelectorAll('.list .row').length > 10")
        facts = browser.value("document.getElementById('facts').textContent")
        assert f"125 nodes · {ranks:,} ranks" in facts and facts.count("wait for a round: ") == 1
        assert browser.value("document.querySelector('.list').ariaRowCount") == str(ranks + 1)
        shown_rows = "[...document.querySelectorAll('.list .row[data-rank]')].map((row) => Number(row.dataset.rank))"
        assert browser.value(shown_rows)[:3] == [0, 1, 2] and len(browser.value(shown_rows)) < 60
        browser.value("document.querySelector('.row[data-rank=\"0\"]').focus()")
        browser.press("End")
        browser.wait_for(f"document.activeElement.dataset.rank === '{ranks - 1}'")
        row = browser.value("[...document.activeElement.children].map((cell) => cell.textContent)")
        assert row[:4] == [str(ranks - 1), "node124", f"{12345 + per_node - 1:,}", "40.98"] and row[5] == "slow"
        assert len(browser.value(shown_rows)) < 60
        browser.press("/")
        browser.write("700-800")
        assert browser.value("document.getElementById('count').textContent") == f"101 of {ranks:,}"
        browser.value("document.querySelector('[data-mark=slow]').click()")
        assert browser.value(shown_rows) == [777]
        # Of the bars of many ranks the slowest of each few.
        bars = list(drawn_bars(browser, "own"))
        assert 100 < len(bars) < 400 and sum(bar > 1.4 for bar in bars) == 2 and min(bars) == pytest.approx(0.5, abs=0.02)
        assert browser.complaints == []
        bytes_sent = len(
            browser.value(
                "fetch(`events${location.search}`).then(async (it) => { const reader = it.body.getReader(); let text = ''; "
                "while (!text.includes('event: state') || !text.endsWith('\\n\\n')) text += new TextDecoder().decode((await reader.read()).value); "
                "reader.cancel(); return text; })"
            )
        )
        print(f"{ranks:,} ranks: {bytes_sent:,} bytes a look")
        record_property("bytes", bytes_sent)
        assert bytes_sent < 130 * ranks


@needs_browser
def test_a_page_whose_launcher_is_gone_says_so_and_finds_it_again(shown):
    with shown.job("--standalone", dashboard=free_port(), step=0.01) as job, Browser() as browser:
        browser.open(shown.url)
        browser.wait_for(ALL_DONE)
        job.kill()
        browser.wait_for("document.getElementById('notice').textContent.startsWith('No connection. What stands here is of ')")
        browser.wait_for("document.getElementById('lost-for').textContent === '(2 s)'")
        assert browser.value("document.getElementById('how').textContent") == "no connection"
        assert "Time left" not in browser.value("document.getElementById('tiles').textContent")
        assert browser.value("document.querySelectorAll('.cell').length") == 4
        first = browser.value("document.getElementById('job').textContent")
        with shown.job("--standalone", dashboard=urlsplit(shown.url).port, step=0.01):
            browser.wait_for("document.getElementById('notice').hidden")
            assert browser.value("document.getElementById('job').textContent") not in ("", first)


def test_strangers_get_nothing_of_the_page(shown):
    with shown.job(dashboard="0.0.0.0:0", step=0.01):
        query = urlsplit(shown.url).query
        assert re.fullmatch(r"token=[0-9a-f]{32}", query)
        wait_until(lambda: shown.ask(f"/?{query}")[0] == 200)
        code, headers, body = shown.ask(f"/?{query}")
        assert code == 200 and "<script>" in body and query not in body
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy and "connect-src 'self'" in policy
        assert headers["Referrer-Policy"] == "no-referrer" and not [name for name in headers if name.lower().startswith("access-control")]
        for path in (
            "/",
            "/events",
            "/stderr?rank=0",
            "/?token=",
            f"/?token={'0' * 32}",
            f"/events?{query[:-1]}",
            f"/stderr?rank=0&x{query}",
        ):
            assert shown.ask(path)[0] == 403, path
        for path in (f"/?{query}", f"/events?{query}"):
            assert shown.ask(path, host="evil.example")[0] == 403
            assert shown.ask(path, method="POST")[0] == 405
        assert shown.ask(f"/stderr?rank=x&{query}")[0] == 400 and shown.ask(f"/metrics?{query}")[0] == 404


def test_the_last_lines_of_a_rank_are_had_by_who_has_not_opened_the_page(shown):
    with shown.job(step=0.01):
        wait_until(lambda: (shown.status()["progress"] or {}).get("ranks") == 4)
        code, headers, body = shown.ask("/stderr?rank=3")
        assert (code, headers["Content-Type"]) == (200, "application/json"), body
        assert json.loads(body)["lines"] == ["rank 3 says <i>hello</i>"]
        for rank in (4, 999999, 2**63 - 1):
            code, headers, body = shown.ask(f"/stderr?rank={rank}")
            assert (code, headers["Content-Type"]) == (404, "application/json")
            assert json.loads(body) == {"rank": rank, "error": "no_such_rank", "message": "No node of the job's round has this rank."}
        for rank in ("", "-1", "x", 2**63, "1.5"):
            code, _, body = shown.ask(f"/stderr?rank={rank}")
            assert code == 400 and "Which rank? It is a whole number" in body


def test_before_the_first_round_it_is_told_that_ranks_are_not_known(shown):
    options = ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{shown.port}", "--rdzv-id", "j"]
    with shown.job(*options):
        code, _, body = shown.ask("/stderr?rank=0")
        assert code == 503 and '"error":"not_known"' in body


def test_rubbish_in_the_place_of_the_watchers_number_is_warned_of_once_and_the_page_goes_on(shown):
    from torch.distributed import TCPStore

    with shown.job(step=0.01) as job:
        wait_until(lambda: (shown.status()["progress"] or {}).get("ranks") == 4)
        TCPStore("localhost", shown.port, is_master=False, wait_for_workers=False).set("mdl-launch/j/watchers", "rubbish")
        with contextlib.closing(shown.stream()) as stream:
            text = ""
            while text.count("event: state\n") < 3:
                text += (part := stream.recv(65536).decode(errors="replace"))
                assert part and "event: trouble" not in text
        assert (shown.folder / "log").read_text().count("watchers of the job's store holds what is no number") == 1
        shown.end()
        assert job.wait(60) == 0


def test_the_65th_reader_is_refused_and_the_job_goes_on(shown):
    with shown.job(step=0.01) as job:
        streams = [shown.stream() for _ in range(64)]
        for stream in streams:
            assert stream.recv(1024).startswith(b"HTTP/1.1 200 OK\r\n")
        late = shown.stream()
        with contextlib.suppress(ConnectionResetError):
            assert late.recv(1) == b""
        wait_until(lambda: (shown.status()["progress"] or {}).get("ranks") == 4)
        for stream in streams:
            stream.close()
        wait_until(lambda: served(shown.stream()))
        shown.end()
        assert job.wait(60) == 0


def served(stream):
    with contextlib.suppress(ConnectionResetError):
        return stream.recv(1024).startswith(b"HTTP/1.1 200")


def test_last_lines_of_ranks_on_other_nodes_come_from_their_agents(shown):
    words = ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{shown.port}", "--rdzv-id", "j"]
    worker = shell("echo \"rank $RANK: $MARK <b>\" >&2; echo $(printf '\\033')[31mred >&2; while [ ! -e $STAGE/end ]; do sleep 0.05; done")
    with contextlib.ExitStack() as agents:
        for node in range(2):  # one command for all: the option does nothing but on the host of the store
            log = agents.enter_context(open(shown.folder / ("log" if node == 0 else "other"), "w"))
            env = environment(STAGE=shown.folder, MARK=f"node {node}")
            local = ["--rdzv-conf", f"is_host={1 - node}", "--dashboard", "0"]
            agents.enter_context(running(*words, *local, *worker, env=env, stderr=log))
        shown.url = wait_until(shown.told_url)

        def lines(rank):
            return json.loads(shown.ask(f"/stderr?rank={rank}")[2]).get("lines")

        with contextlib.closing(shown.stream()):  # somebody looks: who has which rank is known
            told = [wait_until(lambda rank=rank: lines(rank)) for rank in range(2)]
        assert sorted(line for lines in told for line in lines if "rank" not in line) == ["red", "red"]
        assert sorted(lines[0].partition(": ")[2] for lines in told) == ["node 0 <b>", "node 1 <b>"]
        assert [lines[0].partition(":")[0] for lines in told] == ["rank 0", "rank 1"]
        assert "--dashboard is not opened here: the page of the job is at the agent that hosts" in (shown.folder / "other").read_text()
        shown.end()


def test_a_port_that_is_taken_is_told_before_anything_is_started(shown):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = launch("--standalone", "--dashboard", port, shown.folder / "worker.py", env=environment(STAGE=shown.folder, STEP=0))
    assert done.returncode == 1 and "--dashboard: " in done.stderr and str(port) in done.stderr, done.stderr
    assert "hello" not in done.stderr
