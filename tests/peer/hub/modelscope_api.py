"""ModelScope's HTTP API, as far as modelscope 1.40.2 (modelscope-hub 0.5.1) asks for files."""

import fnmatch

from hub_handler import FileHandler
from hub_repository import LARGE


class ModelscopeHandler(FileHandler):
    def refuse_modelscope(self, status, code, message):
        self.send_json({"Code": code, "Data": None, "Message": message, "RequestId": "0", "Success": False}, status)

    def answer_modelscope(self, parts, query):
        if parts == ["repos", "internalAccelerationInfo"]:
            return self.send_json({"Code": 200, "Data": {"InternalRegionQueryAddress": ""}, "Success": True})
        if parts[:1] != ["models"] or "/".join(parts[3:]) not in ("", "repo", "repo/files"):
            return self.refuse_modelscope(404, 10010200001, "no such page")
        path, action = query.get("FilePath", ""), "/".join(parts[3:])
        name = "/".join(parts[1:3])
        if self.take(name, path, not any(fnmatch.fnmatch(path.rsplit("/", 1)[-1], pattern) for pattern in LARGE)):
            return None
        if self.repository is None:
            return self.refuse_modelscope(404, 10010205001, "record not found")
        token = self.repository.token
        if token and f"m_session_id={token}" not in self.asked.cookie and self.asked.authorization != f"Bearer {token}":
            return self.refuse_modelscope(403, 10010204005, "no permission to access this private repository")
        found = self.repository.find({"master": "main"}.get(query.get("Revision"), query.get("Revision", "main")))
        if found is None:
            return self.refuse_modelscope(404, 10010205001, f"revision {query['Revision']} does not exist")
        if action == "":
            return self.send_json({"Code": 200, "Data": {"Name": parts[2], "Path": parts[1]}, "Success": True})
        if action == "repo/files":
            return self.send_modelscope_files(found)
        if path not in found.files:
            return self.refuse_modelscope(404, 10010205001, f"file {path} does not exist")
        file = found.files[path]
        if file.in_lfs:
            return self.send(302, b"", {"Location": self.content_url(file), "X-Linked-ETag": f'"{file.sha256}"'})
        return self.send_file(file, {"ETag": f'"{file.git_hash}"'}, ranges=False)

    def send_modelscope_files(self, found):
        def entry(path, kind, size, sha256, in_lfs):
            facts = {"Path": path, "Name": path.rsplit("/", 1)[-1], "Type": kind, "Size": size, "Sha256": sha256}
            facts |= {"Revision": found.commit, "Mode": "33188", "IsLFS": in_lfs, "Id": "0", "InCheck": True}
            return {**facts, "CommittedDate": 1700000000, "CommitMessage": "Add files", "CommitterName": "someone"}

        entries = [entry(path, "tree", 0, "", False) for path in found.folders]
        entries += [entry(file.path, "blob", file.size, file.sha256, file.in_lfs) for file in found.files.values()]
        if self.fault.listing:
            entries = self.fault.listing(entries)
        data = {"Files": entries, "IsVisual": 0, "LatestCommitter": {"ShortId": found.commit[:8], "Id": found.commit}}
        self.send_json({"Code": 200, "Data": data, "Message": "success", "RequestId": "0", "Success": True})
