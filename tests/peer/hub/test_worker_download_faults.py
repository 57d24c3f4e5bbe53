"""Downloads from a hub that fails: what has come stays, what is wrong is refused, and no final name has half a file."""

import itertools
import os
import queue
import shutil
import subprocess

import pytest

from downloads import Downloader, check_names, unfinished
from hub_server import HubServer
from real_hubs import tree

NOW = {"Retry-After": "0"}


@pytest.fixture
def make(request, toolkit, hub, tmp_path):
    """make(folder, modelscope=…) -> (repository of this test's own, a user who asks for it)."""

    def made(folder, modelscope=False, **options):
        name = f"an-org/{request.node.name.split('[')[0]}-{len(hub.repositories)}"
        repository = hub.add(name, folder, **options)
        return repository, Downloader(toolkit, hub, tmp_path / f"home{len(hub.repositories)}", modelscope=modelscope)

    return made


def whole(folder, repository):
    """Whether the weights are there as published."""
    return open(f"{folder}/model.safetensors", "rb").read() == repository.find_path("model.safetensors").source.read_bytes()


@pytest.mark.parametrize("modelscope", [False, True])
def test_cut_connections_go_on_where_they_broke(modelscope, make, large):
    repository, user = make(large, modelscope)
    cut = repository.fault(path="model.safetensors", side="cdn", cut_after=5 << 20, times=2)
    small = repository.fault(path="config.json", side="hub", cut_after=1, times=1)
    assert whole(user.fetch(repository.name), repository)
    assert (cut.times, small.times) == (0, 0)
    weights = [asked for asked in repository.asked_for("model.safetensors") if asked.side == "cdn"]
    assert len({asked.range.split("-")[0] for asked in weights}) == len(weights) > 3, "ranges, each begun where the last one broke"
    assert sum(asked.sent for asked in weights) == 72 << 20
    assert unfinished(user.cache) == []


def test_a_server_that_ignores_ranges_sends_the_whole(make, large):
    repository, user = make(large)
    repository.fault(path="model.safetensors", side="cdn", ignores_range=True)
    assert whole(user.fetch(repository.name), repository)


@pytest.mark.parametrize("modelscope", [False, True])
def test_a_wrong_hash_is_one_more_download_and_then_an_error(modelscope, make, published):
    repository, user = make(published, modelscope)
    wrong = repository.fault(path="model.safetensors", side="cdn", content=lambda content: content[:-1] + b"!", times=1)
    repository.fault(path="generation_config.json", content=lambda content: b"[" + content[1:], times=1)
    code, out, errors = user.ask(repository.name)
    assert code == 0 and whole(out, repository), errors
    assert errors.count("has come with another hash") == 2 and wrong.times == 0

    repository, user = make(published, modelscope)
    repository.fault(path="model.safetensors", side="cdn", content=lambda content: content[:-1] + b"!")
    errors = user.refuse(repository.name)
    assert "model.safetensors" in errors and "twice with another hash" in errors
    check_names(user.cache, repository)
    assert b"!" not in [what[-1:] for path, what in tree(user.cache).items() if what and "1317a" in path]
    repository.clear()
    assert whole(user.fetch(repository.name), repository)


@pytest.mark.parametrize("modelscope", [False, True])
@pytest.mark.parametrize("change", [lambda content: content[:-5], lambda content: content + b"12345"], ids=["short", "long"])
def test_a_file_of_another_size_is_refused(change, modelscope, make, published):
    repository, user = make(published, modelscope)
    repository.fault(path="model.safetensors", side="cdn", content=change)
    errors = user.refuse(repository.name)
    assert f"{len(change((published / 'model.safetensors').read_bytes()))} bytes at the server" in errors
    check_names(user.cache, repository)


STATUSES = [  # 2 is what the user gave: a name, a token
    (401, {"X-Error-Code": "GatedRepo"}, "accept its terms", 2),
    (401, {}, "HF_TOKEN", 2),
    (403, {}, "HF_TOKEN", 2),
    (404, {}, "cannot get", 1),
    (429, {"Retry-After": "3000"}, "for now", 1),
    (429, NOW, "for now", 1),
    (503, NOW, "The server has trouble", 1),
]


@pytest.mark.parametrize("path", ["", "model.safetensors", "config.json"])
def test_refusals_have_one_message_and_what_has_come_stays(path, make, published):
    for status, headers, says, exit_code in STATUSES:
        repository, user = make(published)
        repository.fault(path=path, side="hub", status=status, headers=headers)
        errors = user.refuse(repository.name, exit_code=2 if status == 404 and not path else exit_code)
        assert path or status != 404 or "no model of that name" in errors
        assert (says in errors or (path == "" and status == 404)) and errors.count("error:") == 1, errors
        check_names(user.cache, repository)
        tries = len([asked for asked in repository.asked if asked.file == path and asked.status == status])
        assert tries == ((5 if path else 4) if headers is NOW else 1)
        repository.clear()
        repository.fault(path=path, side="hub", status=503, headers=NOW, times=2)
        assert whole(user.fetch(repository.name), repository)


@pytest.mark.parametrize("path", ["", "model.safetensors"])
def test_refusals_of_modelscope_have_one_message(path, make, published):
    given = 1 if path else 2
    for status, says, exit_code in (
        (401, "MODELSCOPE_API_TOKEN", 2),
        (403, "MODELSCOPE_API_TOKEN", 2),
        (404, "cannot get" if path else "no model of that name", given),
        (429, "for now", 1),
        (500, "has trouble", 1),
    ):
        repository, user = make(published, modelscope=True)
        repository.fault(path=path, side="hub", status=status, headers=NOW)
        errors = user.refuse(repository.name, exit_code=exit_code)
        assert says in errors and errors.count("error:") == 1, errors
        assert "HF_TOKEN" not in errors and "Hugging Face does" not in errors
        page = f"{user.variables['MODELSCOPE_DOMAIN']}/models/{repository.name}"
        assert (exit_code == 2) == ("MODELSCOPE_API_TOKEN" in errors and page in errors), errors
        check_names(user.cache, repository)
        repository.clear()
        assert whole(user.fetch(repository.name), repository)


@pytest.mark.parametrize("modelscope", [False, True])
def test_where_files_lie_knows_no_token(modelscope, make, published):
    repository, user = make(published, modelscope)
    repository.fault(path="model.safetensors", side="cdn", status=403)
    errors = user.refuse(repository.name, exit_code=1)
    assert "cannot get model.safetensors" in errors and "localhost" in errors and "answered 403" in errors and "TOKEN" not in errors


@pytest.mark.parametrize("modelscope", [False, True])
def test_a_repository_without_a_tokenizer_is_refused_before_anything_comes(modelscope, make, published, tmp_path):
    """A cache that a Python program has filled with it is not whole either: one rule for both."""
    folder = tmp_path / "bare"
    shutil.copytree(published, folder)
    (folder / "tokenizer.json").unlink()
    repository, user = make(folder, modelscope)
    errors = user.refuse(repository.name, exit_code=2)
    assert f"{repository.name} has no tokenizer.json" in errors and "save_pretrained" in errors and errors.count("error:") == 1
    assert {asked.file for asked in repository.asked} == {""} and not list(user.cache.rglob("*"))


def test_a_listing_that_does_not_end_is_left_at_the_first_page_that_comes_again(make, published):
    repository, user = make(published)
    there = f"{user.variables['HF_ENDPOINT']}/api/models/{repository.name}/tree/{repository.find('main').commit}"
    numbers = itertools.count()

    def pages_of(link, listing=None):
        """What is told, and how many pages were asked for, when each says that the next one is `link`, with a number for N."""
        repository.clear()
        for _ in range(100):
            address = f"{there}?{link.replace('N', str(next(numbers)))}"
            repository.fault(path="", times=1, headers={"Link": f'<{address}>; rel="next"'}, listing=listing)
        errors = user.refuse(repository.name, exit_code=1)
        assert not [asked for asked in repository.asked if asked.file]
        return errors, len([asked for asked in repository.asked if "/tree/" in asked.target])

    errors, pages = pages_of("cursor=4")
    assert "page 3 has come before" in errors and pages == 2
    errors, pages = pages_of("nothing=N", lambda entries: entries[:1])  # one folder
    assert "page 2 has come before" in errors and pages == 2
    errors, pages = pages_of("nothing=N", lambda entries: [{**entries[0], "path": str(next(numbers))}])  # folders, without end
    assert "page 65 is one too many" in errors and pages == 64
    repository.page_size = 8000
    file = {"type": "file", "oid": "0" * 40, "size": 1}
    errors, pages = pages_of("nothing=N", lambda _: [{**file, "path": str(next(numbers))} for _ in range(8000)])
    assert "more than 20000 files" in errors and pages == 3


def test_a_redirect_to_another_host_gets_no_token(make, published, tmp_path):
    repository, user = make(published)
    with HubServer() as stranger:
        there = stranger.add(repository.name, published)
        repository.fault(path="config.json", redirect=stranger.endpoint.replace("127.0.0.1", "localhost") + "{path}")
        repository.fault(path="", redirect=stranger.endpoint + "{path}")
        user.fetch(repository.name, HF_TOKEN="secret-token")
        assert {asked.authorization for asked in there.asked} == {""}
    repository, user = make(published)
    repository.fault(path="config.json", redirect=f"file://{tmp_path}/x")
    assert "redirects to what is no http or https address" in user.refuse(repository.name)
    repository, user = make(published)
    repository.fault(path="config.json", redirect="{path}")
    assert "redirect" in user.refuse(repository.name).lower()


def test_a_server_that_stalls_is_left(make, published):
    repository, user = make(published)
    stall = repository.fault(path="model.safetensors", side="cdn", stall_after=1_200_000, times=1)
    silent, other = make(published)
    no_listing = silent.fault(path="", stall_after=0, times=1)
    with other.start(silent.name, HF_HUB_ETAG_TIMEOUT="1") as meanwhile:
        assert whole(user.fetch(repository.name, HF_HUB_DOWNLOAD_TIMEOUT="1"), repository)
        out, _ = meanwhile.communicate(timeout=120)
    assert whole(out.strip(), silent)
    assert (stall.times, no_listing.times) == (0, 0)
    assert repository.asked_for("model.safetensors")[-1].range.startswith("bytes=")


HOSTILE = ["../x", "../../../../x", "/etc/x", "a/../../x", "a//b", "a\\..\\x", "a\nb", ".", "", "config.json/x", "x\x1b[2J"]


@pytest.mark.parametrize("modelscope", [False, True])
def test_a_hostile_listing_is_refused_whole(modelscope, make, published):
    key = "Path" if modelscope else "path"
    for path in HOSTILE:
        repository, user = make(published, modelscope)
        repository.fault(path="", listing=lambda entries, path=path: [*entries, {**entries[-1], key: path}])
        errors = user.refuse(repository.name)
        assert "is refused" in errors and "\x1b" not in errors, (path, errors)
        assert [name for name, what in tree(user.home).items() if what is not None] == []
        assert repository.asked_for("config.json") == []


def test_an_index_that_names_files_elsewhere_is_refused(make, published, tmp_path):
    folder = tmp_path / "indexed"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (folder / name).symlink_to(published / name)
    for shard in ("../../x.safetensors", "none.safetensors", "weights.bin"):
        (folder / "model.safetensors.index.json").write_text(f'{{"weight_map": {{"a": "{shard}"}}}}')
        repository, user = make(folder)
        assert shard.split("/")[-1] in user.refuse(repository.name)
        check_names(user.cache, repository)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB, for those who may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("modelscope", [False, True])
def test_a_full_disk_ends_it_and_with_room_it_goes_on(modelscope, make, published, large, small_disk, tmp_path):
    cache = {"MODELSCOPE_CACHE" if modelscope else "HF_HUB_CACHE": str(small_disk)}
    repository, user = make(large, modelscope)
    assert "needs 75.5 MB more" in user.refuse(repository.name, **cache)
    assert not repository.asked_for("model.safetensors"), "space is checked before"
    organization, name = repository.name.split("/")
    link = small_disk / (f"models/{organization}--{name}" if modelscope else f"models--{organization}--{name}")
    shutil.move(link, tmp_path / "moved")
    link.symlink_to(tmp_path / "moved")
    assert whole(user.fetch(repository.name, **cache), repository), "space is asked of the disk where the files go"
    link.unlink()

    repository, user = make(published, modelscope)
    filler = small_disk / "filler"

    def fill():
        with open(filler, "wb") as file:
            try:
                while file.write(b"x" * 4096) and not file.flush():
                    pass
            except OSError:
                pass

    repository.fault(path="model.safetensors", side="cdn", at_byte=(500_000, fill), times=1)
    errors = user.refuse(repository.name, **cache)
    assert "No space left on device" in errors and errors.count("error:") == 1, errors
    check_names(small_disk, repository)
    filler.unlink()
    assert whole(user.fetch(repository.name, **cache), repository)


@pytest.mark.parametrize("modelscope", [False, True])
def test_killed_twenty_times_it_loses_nothing(modelscope, make, large):
    repository, user = make(large, modelscope)
    sizes = [int((i + 0.5) * (72 << 20) / 9) for i in range(8)]
    moments = [("", 0), ("config.json", 1), ("config.json", 3), ("tokenizer.json", 3), ("tokenizer.json", 19)]
    moments += [("model.safetensors", n % (24 << 20) + 1) for n in sizes]
    moments += [("model.safetensors", 24 << 20), ("model.safetensors", (24 << 20) - 1)] * 3 + [("model.safetensors", 1)]
    assert len(moments) == 20
    for path, byte in moments:
        started = queue.SimpleQueue()
        side = "cdn" if path == "model.safetensors" else "hub"
        repository.faults.clear()
        repository.fault(path=path, side=side, times=1, at_byte=(byte, lambda started=started: started.get().kill()))
        with user.start(repository.name) as process:
            started.put(process)
            process.communicate(timeout=60)
        check_names(user.cache, repository)
    repository.faults.clear()
    assert whole(user.fetch(repository.name), repository)
    sent = sum(asked.sent for asked in repository.asked_for("model.safetensors") if asked.side == "cdn")
    assert unfinished(user.cache) == []
    assert sent < 4 * (72 << 20)
