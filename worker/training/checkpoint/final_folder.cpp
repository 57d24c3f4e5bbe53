#include "worker/training/checkpoint/final_folder.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/folder_place.hpp"
#include "worker/dataset/fingerprint.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::set<std::string> kNames = {"adapter_config.json",
                                      "adapter_model.bin",
                                      "adapter_model.safetensors",
                                      "added_tokens.json",
                                      "batch_norm.safetensors",
                                      "chat_template.jinja",
                                      "chat_template.json",
                                      "config.json",
                                      "generation_config.json",
                                      "mdl_final.json",
                                      "merges.txt",
                                      "model.safetensors",
                                      "model.safetensors.index.json",
                                      "preprocessor_config.json",
                                      "processor_config.json",
                                      "pytorch_model.bin",
                                      "pytorch_model.bin.index.json",
                                      "special_tokens_map.json",
                                      "tokenizer.json",
                                      "tokenizer_config.json",
                                      "vocab.json"};

/// BEGIN00001-of-00004END
bool is_shard(const std::string& name, const std::string& begin, const std::string& end) {
  if (!name.starts_with(begin) || !name.ends_with(end) || name.size() <= begin.size() + end.size()) { return false; }
  const std::string number = name.substr(begin.size(), name.size() - begin.size() - end.size());
  return number.find("-of-") != std::string::npos && number.find_first_not_of("0123456789-of") == std::string::npos;
}

std::string fingerprint_of_file(const fs::path& file) {
  dataset::Fingerprint print;
  print.add(read_text(file));
  return print.hex();
}

json read_record(const fs::path& folder) {
  const fs::path file = folder / kFinalRecordFile;
  if (!fs::is_regular_file(file)) { return json::object(); }
  const json record = json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
  return record.is_object() ? record : json::object();
}

/// Whether both are files of the same bytes; `record` is the older folder's.
bool is_unchanged(const fs::path& older, const fs::path& newer, const json& record) {
  if (!fs::is_regular_file(older)) { return false; }
  const auto files = record.find("files");
  const std::string name = older.filename().string();
  if (files != record.end() && files->is_object() && files->contains(name)) {
    return (*files)[name] == fingerprint_of_file(older);
  }
  return fs::is_regular_file(newer) && fs::file_size(older) == fs::file_size(newer) &&
         fingerprint_of_file(older) == fingerprint_of_file(newer);
}

/// Links everything but folders, which are made anew; copies where the file system has no hard links.
void bring(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  const fs::file_type type = fs::symlink_status(from).type();
  if (type == fs::file_type::directory) {
    fs::create_directory(to, from);
    for (const auto& entry : fs::directory_iterator(from)) { bring(entry.path(), to / entry.path().filename()); }
    return;
  }
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (!error) { return; }
  if (type == fs::file_type::symlink) { fs::copy_symlink(from, to); }
  if (type == fs::file_type::regular) { fs::copy_file(from, to); }
}

}  // namespace

bool is_ours_in_final(const std::string& name) {
  return kNames.contains(name) || is_shard(name, "model-", ".safetensors") || is_shard(name, "pytorch_model-", ".bin");
}

void write_final_record(const fs::path& folder, const FinalOrigin& origin) {
  json files = json::object();
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && !is_ours_in_final(name)) { files[name] = fingerprint_of_file(entry.path()); }
  }
  const json record = {{"run", origin.run}, {"step", origin.step}, {"files", files}};
  write_text_atomically(folder / kFinalRecordFile, record.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

std::vector<std::string> keep_users_files(const fs::path& older, const fs::path& unfinished) {
  std::vector<std::string> kept;
  if (!fs::is_directory(older)) { return kept; }
  const json record = read_record(older);
  for (const auto& entry : fs::directory_iterator(older)) {
    const fs::path name = entry.path().filename();
    std::error_code gone;
    if (fs::equivalent(entry.path(), unfinished, gone) || name == "lost+found") {
      continue;  // filled from inside
    }
    if (name.string().starts_with(kFolderTrial)) { continue; }
    const bool file = entry.is_symlink() || entry.is_regular_file();  // a link of such a name is a model's as well
    if ((file && is_ours_in_final(name.string())) || is_unchanged(entry.path(), unfinished / name, record)) {
      continue;
    }
    bring(entry.path(), unfinished / name);
    kept.push_back(name.string());
  }
  return kept;
}

bool final_is_there(const fs::path& final_folder, const FinalOrigin& now, bool restarted) {
  const auto has = [&](const char* name) { return fs::exists(final_folder / name); };
  if (!has("model.safetensors") && !has("model.safetensors.index.json") && !has("adapter_model.safetensors")) {
    return false;
  }
  for (const auto& entry : fs::directory_iterator(final_folder)) {
    if (entry.path().filename().string().starts_with(kUnfinishedFolder)) {
      return false;  // a kill left it half moved
    }
  }
  const json record = read_record(final_folder);
  const auto run = record.find("run"), step = record.find("step");
  // Of an earlier version, or the Python tool's.
  if (run == record.end() || step == record.end() || now.run.empty()) { return !restarted; }
  if (*run != now.run || !step->is_number_integer()) { return false; }
  return restarted ? *step == now.step : *step >= now.step;
}

}  // namespace mdl::worker::training::checkpoint
