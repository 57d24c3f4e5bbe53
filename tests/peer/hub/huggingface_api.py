"""Hugging Face's HTTP API, as far as huggingface_hub 2.4.0 asks for files by plain HTTP."""

import urllib.parse

from hub_handler import FileHandler


class HuggingFaceHandler(FileHandler):
    def refuse(self, status, code, message):
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        self.send_json({"error": message}, status, headers)

    def refused(self, *, file):
        """Whether the repository is none of the asker's, which is then answered."""
        given = self.asked.authorization.removeprefix("Bearer ")
        if self.repository is None or (self.repository.token not in (None, given) and not self.repository.gated):
            if given:
                self.refuse(404, "RepoNotFound", "Repository not found")
            else:
                self.refuse(401, "RepoNotFound", "Invalid username or password.")
        elif self.repository.gated and file and given != self.repository.token:
            text = f"Access to model {self.repository.name} is restricted. You must have access to it and be authenticated."
            self.refuse(403 if given else 401, "GatedRepo", text)
        else:
            return False
        return True

    def answer_huggingface(self, parts, query):
        if parts[:3] == ["api", "resolve-cache", "models"]:
            name, revision, path = "/".join(parts[3:5]), parts[5], "/".join(parts[6:])
            action = "cached"
        elif parts[:2] == ["api", "models"]:
            name, action = "/".join(parts[2:4]), parts[4] if len(parts) > 4 else "revision"
            revision, path = parts[5] if len(parts) > 5 else "main", ""
        elif len(parts) > 4 and parts[2] == "resolve":
            name, action, revision, path = "/".join(parts[:2]), "resolve", parts[3], "/".join(parts[4:])
        else:
            return self.send(404, b"Sorry, we can't find the page you are looking for.", {})
        if self.take(name, path, action != "resolve") or self.refused(file=bool(path)):
            return None
        found = self.repository.find(revision)
        if found is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if action == "revision":
            return self.send_model_info(found, "blobs" in query)
        if action == "tree":
            return self.send_tree(found, revision, query)
        if path not in found.files:
            self.asked.status = 404
            headers = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found", "X-Repo-Commit": found.commit}
            return self.send(404, b"Entry not found", headers)
        return self.send_resolved(found, found.files[path], cached=action == "cached")

    def send_resolved(self, found, file, *, cached):
        headers = {"X-Repo-Commit": found.commit}
        if cached:
            return self.send_file(file, {**headers, "ETag": f'"{file.etag}"'})
        headers |= {"X-Linked-Size": str(file.size), "X-Linked-ETag": f'"{file.etag}"', "ETag": f'"{file.etag}"'}
        if file.in_lfs:
            return self.send(302, b"Found. Redirecting", {**headers, "Location": self.content_url(file), "Accept-Ranges": "bytes"})
        place = f"/api/resolve-cache/models/{self.repository.name}/{found.commit}/{urllib.parse.quote(file.path)}"
        return self.send(307, b"Temporary Redirect", {**headers, "Location": place})

    def send_model_info(self, found, blobs):
        def entry(file):
            facts = {"rfilename": file.path}
            if blobs:
                facts |= {"size": file.size, "blobId": file.git_hash}
                if file.in_lfs:
                    facts["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 134}
            return facts

        name = self.repository.name
        files = [entry(file) for file in found.files.values()]
        facts = {"_id": "0", "id": name, "modelId": name, "author": name.split("/")[0], "sha": found.commit, "tags": []}
        facts |= {"private": self.repository.token is not None, "gated": "auto" if self.repository.gated else False}
        self.send_json({**facts, "disabled": False, "downloads": 0, "likes": 0, "siblings": files})

    def send_tree(self, found, revision, query):
        entries = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in found.folders]
        for file in found.files.values():
            entries.append({"type": "file", "oid": file.git_hash, "size": file.size, "path": file.path})
            if file.in_lfs:
                entries[-1]["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 134}
        if self.fault.listing:
            entries = self.fault.listing(entries)
        begin, size = int(query.get("cursor", 0)), self.repository.page_size
        headers = dict(self.fault.headers)
        if begin + size < len(entries):
            options = urllib.parse.urlencode({**query, "cursor": begin + size})
            origin = f"{self.server.hub.endpoint.split('://')[0]}://{self.asked.host}"
            address = f"{origin}/api/models/{self.repository.name}/tree/{urllib.parse.quote(revision, '')}"
            headers = {"Link": f'<{address}?{options}>; rel="next"', **headers}
        self.send_json(entries[begin : begin + size], headers=headers)
