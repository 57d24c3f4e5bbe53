#include "worker/hub/hub_settings.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::worker::hub;
using Catch::Contains;
using namespace std::chrono_literals;

namespace {

using Variables = std::map<std::string, std::string>;

HubSettings settings_of(Variables variables, const Variables& files = {}) {
  variables.emplace("HOME", "/home/u");
  const auto find = [](const Variables& all, const std::string& name) {
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  };
  return read_hub_settings([&](const char* name) { return find(variables, name); },
                           [&](const std::filesystem::path& path) { return find(files, path.string()); });
}

}  // namespace

TEST_CASE("the cache is where the first of five variables says") {
  CHECK(settings_of({}).cache == "/home/u/.cache/huggingface/hub");
  CHECK(settings_of({{"XDG_CACHE_HOME", "/c"}}).cache == "/c/huggingface/hub");
  CHECK(settings_of({{"XDG_CACHE_HOME", "/c"}, {"HF_HOME", "/h"}}).cache == "/h/hub");
  CHECK(settings_of({{"HF_HOME", "/h"}, {"HUGGINGFACE_HUB_CACHE", "/old"}}).cache == "/old");
  CHECK(settings_of({{"HUGGINGFACE_HUB_CACHE", "/old"}, {"HF_HUB_CACHE", "/new"}}).cache == "/new");
}

TEST_CASE("~ and variables in a path are replaced as Python does") {
  CHECK(settings_of({{"HF_HOME", "~/hf"}}).cache == "/home/u/hf/hub");
  CHECK(settings_of({{"HF_HUB_CACHE", "$BASE/${NAME}/x"}, {"BASE", "/b"}, {"NAME", "n"}}).cache == "/b/n/x");
  CHECK(settings_of({{"HF_HUB_CACHE", "/a/$NOTHING/${NEITHER}/$/${"}}).cache == "/a/$NOTHING/${NEITHER}/$/${");
  CHECK(settings_of({{"HF_HUB_CACHE", "/a/~/b"}}).cache == "/a/~/b");
  CHECK(settings_of({{"HF_HUB_CACHE", "~root/x"}}).cache == "/root/x");
  CHECK(settings_of({{"HF_HUB_CACHE", "~nobody-of-this-name/x"}}).cache == "~nobody-of-this-name/x");
}

TEST_CASE("a token comes from a variable, else from a file, without the line end") {
  const Variables file = {{"/home/u/.cache/huggingface/token", "hf_file\n"}, {"/t", "hf_other"}};
  CHECK_FALSE(settings_of({}).token);
  CHECK(settings_of({}, file).token == "hf_file");
  CHECK(settings_of({{"HF_TOKEN_PATH", "/t"}}, file).token == "hf_other");
  CHECK(settings_of({{"HF_HOME", "/h"}}, {{"/h/token", "hf_h"}}).token == "hf_h");
  CHECK(settings_of({{"HUGGING_FACE_HUB_TOKEN", "hf_old"}}, file).token == "hf_old");
  CHECK(settings_of({{"HUGGING_FACE_HUB_TOKEN", "hf_old"}, {"HF_TOKEN", " hf_new\r\n"}}, file).token == "hf_new");
  CHECK(settings_of({{"HF_TOKEN", " \n"}}, file).token == "hf_file");
  CHECK_FALSE(settings_of({{"HF_TOKEN", "hf_new"}, {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes"}}, file).token);
  CHECK_THROWS_AS(settings_of({{"HF_TOKEN", "hf_\x01"}}), UsageError);
}

TEST_CASE("truth is 1, on, yes or true, and the variable of the hub counts before that of transformers") {
  for (const char* value : {"1", "ON", "Yes", "true"}) { CHECK(settings_of({{"HF_HUB_OFFLINE", value}}).offline); }
  for (const char* value : {"0", "off", "t", "2", "auto"}) {
    CHECK_FALSE(settings_of({{"HF_HUB_OFFLINE", value}}).offline);
  }
  CHECK(settings_of({{"HF_HUB_OFFLINE", "1"}}).offline == "HF_HUB_OFFLINE=1");
  CHECK(settings_of({{"TRANSFORMERS_OFFLINE", "true"}}).offline == "TRANSFORMERS_OFFLINE=true");
  CHECK_FALSE(settings_of({{"HF_HUB_OFFLINE", "0"}, {"TRANSFORMERS_OFFLINE", "1"}}).offline);
  CHECK_FALSE(settings_of({{"HF_HUB_DISABLE_PROGRESS_BARS", "1"}}).progress_bars);
  CHECK_FALSE(settings_of({{"HF_HUB_DISABLE_SYMLINKS", "TRUE"}}).symlinks);
  CHECK(settings_of({}).progress_bars);
  CHECK(settings_of({}).symlinks);
}

TEST_CASE("the endpoint is an address, without slashes at its end") {
  CHECK(settings_of({}).endpoint == "https://huggingface.co");
  CHECK(settings_of({{"HF_ENDPOINT", "https://hf-mirror.com//"}}).endpoint == "https://hf-mirror.com");
  CHECK(settings_of({{"HF_ENDPOINT", "http://h:8/hf/"}}).endpoint == "http://h:8/hf");
  CHECK_THROWS_WITH(settings_of({{"HF_ENDPOINT", "hf-mirror.com"}}), Contains("HF_ENDPOINT=hf-mirror.com"));
  CHECK_THROWS_AS(settings_of({{"HF_ENDPOINT", "file:///x"}}), UsageError);
  CHECK_THROWS_AS(settings_of({{"HF_ENDPOINT", "https://h/?x"}}), UsageError);
  CHECK_THROWS_WITH(settings_of({{"HF_ENDPOINT", "https://u:secret@h/?x"}}), !Contains("secret"));
}

TEST_CASE("timeouts are whole seconds, and 0 means the default, as there") {
  CHECK(settings_of({}).etag_timeout == 10s);
  CHECK(settings_of({{"HF_HUB_ETAG_TIMEOUT", "3"}, {"HF_HUB_DOWNLOAD_TIMEOUT", "7"}}).etag_timeout == 3s);
  CHECK(settings_of({{"HF_HUB_ETAG_TIMEOUT", "3"}, {"HF_HUB_DOWNLOAD_TIMEOUT", "7"}}).download_timeout == 7s);
  CHECK(settings_of({{"HF_HUB_DOWNLOAD_TIMEOUT", "0"}}).download_timeout == 10s);
  CHECK_THROWS_WITH(settings_of({{"HF_HUB_DOWNLOAD_TIMEOUT", "ten"}}), Contains("HF_HUB_DOWNLOAD_TIMEOUT=ten"));
}
