#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/tensors/safetensors.hpp"

using Catch::Contains;
using mdl::test::TempDir;
namespace fs = std::filesystem;

namespace {

/// A file with this header and so many bytes of data.
fs::path write_raw(const TempDir& dir, const std::string& header, size_t data_bytes, uint64_t claimed_length) {
  fs::path path = dir.path() / "raw.safetensors";
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&claimed_length), 8);
  file << header << std::string(data_bytes, '\1');
  return path;
}
fs::path write_raw(const TempDir& dir, const std::string& header, size_t data_bytes) {
  return write_raw(dir, header, data_bytes, header.size());
}

}  // namespace

TEST_CASE("tensors of every type come back as they were written") {
  const TempDir dir;
  const fs::path path = dir.path() / "all.safetensors";
  mdl::worker::tensors::NamedTensors written;
  for (const auto type : {at::kBool, at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kHalf, at::kBFloat16,
                          at::kFloat, at::kDouble}) {
    written.emplace_back(c10::toString(type), at::arange(0, 7, at::kFloat).to(type));
  }
  written.emplace_back("scalar", at::zeros({}, at::kLong));
  written.emplace_back("empty", at::zeros({0, 3}));
  written.emplace_back("transposed", at::arange(6).view({2, 3}).t());
  mdl::worker::tensors::save_safetensors(path, written);

  const mdl::worker::tensors::SafetensorsFile file(path);
  REQUIRE(file.entries().size() == written.size());
  CHECK(file.metadata().at("format") == "pt");
  for (const auto& [name, tensor] : written) {
    INFO(name);
    const at::Tensor read = file.tensor(name);
    CHECK(read.scalar_type() == tensor.scalar_type());
    CHECK(at::equal(read, tensor));
    CHECK(reinterpret_cast<uintptr_t>(read.const_data_ptr()) % tensor.element_size() == 0);
  }
  CHECK_THROWS_WITH(file.tensor("absent"), Contains("no tensor \"absent\""));
}

TEST_CASE("a tensor is a view of the mapped file, and writing into it leaves the file alone") {
  const TempDir dir;
  const fs::path path = dir.path() / "one.safetensors";
  mdl::worker::tensors::save_safetensors(path, {{"x", at::zeros({4})}});
  const std::string before = mdl::read_text(path);
  at::Tensor kept;
  {
    const mdl::worker::tensors::SafetensorsFile file(path);
    kept = file.tensor("x");
    CHECK(kept.const_data_ptr() == file.tensor("x").const_data_ptr());
  }
  kept.add_(1);  // the mapping lives as long as its tensors
  CHECK(kept.sum().item<float>() == 4);
  CHECK(mdl::read_text(path) == before);
}

TEST_CASE("a broken safetensors file is one error that names the file and the fault") {
  const TempDir dir;
  const auto error_of = [](const fs::path& path) -> std::string {
    try {
      mdl::worker::tensors::SafetensorsFile file(path);
    } catch (const mdl::Error& error) {
      CHECK_THAT(error.what(), Contains(path.string()));
      CHECK(error.exit_code() != 0);
      return error.what();
    }
    return "no error";
  };
  const std::string good = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  CHECK(error_of(write_raw(dir, good, 8)) == "no error");
  REQUIRE(::mkfifo((dir.path() / "pipe").c_str(), 0600) == 0);
  CHECK_THAT(error_of(dir.path() / "pipe"), Contains("is not a file"));

  CHECK_THAT(error_of(dir.path() / "absent.safetensors"), Contains("No such file"));
  CHECK_THAT(error_of(write_raw(dir, good, 5)), Contains("truncated"));
  CHECK_THAT(error_of(write_raw(dir, good, 8, good.size() + 100)), Contains("truncated"));
  CHECK_THAT(error_of(write_raw(dir, good, 8, uint64_t{1} << 63)), Contains("claims a header of"));
  CHECK_THAT(error_of(write_raw(dir, good, 9)), Contains("1 bytes at its end belong to no tensor"));
  CHECK_THAT(error_of(write_raw(dir, "not json", 0)), Contains("no JSON object"));
  CHECK_THAT(error_of(write_raw(dir, "[1]", 0)), Contains("no JSON object"));
  {
    std::ofstream(dir.path() / "short.safetensors") << "abc";
    CHECK_THAT(error_of(dir.path() / "short.safetensors"), Contains("truncated"));
  }

  const auto entry_error = [&](const std::string& entry, size_t bytes = 8) {
    return error_of(write_raw(dir, R"({"x":)" + entry + "}", bytes));
  };
  CHECK_THAT(entry_error("3"), Contains("\"x\"") && Contains("no JSON object"));
  CHECK_THAT(entry_error(R"({"dtype":"Q9","shape":[2],"data_offsets":[0,8]})"), Contains("\"Q9\" is not supported"));
  CHECK_THAT(entry_error(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), Contains("need 12 bytes"));
  CHECK_THAT(entry_error(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), Contains("not a list of sizes"));
  CHECK_THAT(entry_error(R"({"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,8]})"),
             Contains("absurdly large"));
  CHECK_THAT(entry_error(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), Contains("end before they begin"));
  CHECK_THAT(entry_error(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})"), Contains("no data_offsets"));
  CHECK_THAT(entry_error(R"({"dtype":"F32","data_offsets":[0,8]})"), Contains("no shape"));

  const std::string overlapping = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                  R"("y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})";
  CHECK_THAT(error_of(write_raw(dir, overlapping, 12)), Contains("\"y\"") && Contains("overlap"));
  const std::string gap = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                          R"("y":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})";
  CHECK_THAT(error_of(write_raw(dir, gap, 16)), Contains("4 bytes before it belong to no tensor"));
}

TEST_CASE("a misaligned tensor is read all the same") {
  const TempDir dir;
  const std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("x":{"dtype":"I16","shape":[2],"data_offsets":[1,5]}} )";
  const mdl::worker::tensors::SafetensorsFile file(write_raw(dir, header, 5));
  CHECK(file.tensor("x")[1].item<int16_t>() == 0x0101);
}

TEST_CASE("a failed write leaves the old file and no other") {
  const TempDir dir;
  const fs::path path = dir.path() / "x.safetensors";
  mdl::worker::tensors::save_safetensors(path, {{"x", at::zeros({4})}});
  CHECK_THROWS_AS(mdl::worker::tensors::save_safetensors(path, {{"x", at::zeros({4}, at::kComplexDouble)}}),
                  mdl::Error);
  CHECK_THROWS_AS(mdl::worker::tensors::save_safetensors(path, {{"x", at::zeros({4})}, {"x", at::zeros({4})}}),
                  mdl::Error);
  CHECK(mdl::worker::tensors::SafetensorsFile(path).entries().size() == 1);
  CHECK(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 1);
  CHECK_THROWS_WITH(
      mdl::worker::tensors::save_safetensors(dir.path() / "absent" / "x.safetensors", {{"x", at::zeros({1})}}),
      Contains("absent"));
}

TEST_CASE("shards that the index names are one checkpoint, and a missing one is named") {
  const TempDir dir;
  mdl::worker::tensors::save_safetensors(dir.path() / "a.safetensors", {{"x", at::zeros({1})}});
  mdl::worker::tensors::save_safetensors(dir.path() / "b.safetensors", {{"y", at::zeros({2})}});
  const auto write_index = [&](const std::string& text) {
    mdl::write_text_atomically(dir.path() / "model.safetensors.index.json", text);
  };
  CHECK_THROWS_WITH(mdl::worker::tensors::SafetensorsFolder(dir.path()), Contains("neither model.safetensors nor"));
  write_index(R"({"weight_map":{"x":"a.safetensors","y":"b.safetensors"}})");
  const mdl::worker::tensors::SafetensorsFolder folder(dir.path());
  CHECK(folder.names() == std::vector<std::string>{"x", "y"});
  CHECK(folder.tensor("y").numel() == 2);

  write_index(R"({"weight_map":{"x":"a.safetensors","y":"c.safetensors"}})");
  CHECK_THROWS_WITH(mdl::worker::tensors::SafetensorsFolder(dir.path()),
                    Contains("the shard c.safetensors is missing"));
  write_index(R"({"weight_map":{"z":"a.safetensors"}})");
  CHECK_THROWS_WITH(mdl::worker::tensors::SafetensorsFolder(dir.path()), Contains("\"z\" should be in a.safetensors"));
  write_index(R"({"weight_map":{"x":"../a.safetensors"}})");
  CHECK_THROWS_WITH(mdl::worker::tensors::SafetensorsFolder(dir.path()), Contains("no plain file name"));
  write_index("{");
  CHECK_THROWS_WITH(mdl::worker::tensors::SafetensorsFolder(dir.path()), Contains("weight_map"));
}
