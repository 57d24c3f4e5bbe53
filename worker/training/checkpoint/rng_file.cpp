#include "worker/training/checkpoint/rng_file.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <torch/torch.h>

#include <algorithm>

#include "common/error.hpp"
#include "common/pickle/pickle.hpp"
#include "common/pickle/pickle_writer.hpp"
#include "common/str_cat.hpp"
#include "worker/tensors/torch_archive.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

constexpr size_t kTwisterWords = 624;
constexpr size_t kCpuStateBytes = 5056;
constexpr size_t kCudaStateBytes = 16;
using TwisterState = std::array<uint32_t, kTwisterWords>;

/// A byte tensor as torch.save describes it; its bytes are record `index`.
void write_tensor(PickleWriter& out, const at::Tensor& tensor, size_t index) {
  out.type("torch._utils", "_rebuild_tensor_v2");
  out.mark();
  out.mark();
  out.string("storage");
  out.type("torch", "ByteStorage");
  out.string(std::to_string(index));
  out.string("cpu");
  out.integer(tensor.numel());
  out.tuple_from_mark();
  out.persistent_id();
  out.integer(0);  // offset
  out.integer(tensor.numel());
  out.tuple(1);  // sizes
  out.integer(1);
  out.tuple(1);  // strides
  out.boolean(false);
  out.type("collections", "OrderedDict");
  out.tuple(0);
  out.reduce();
  out.tuple_from_mark();
  out.reduce();
}

/// random.getstate(): (3, the 624 words and the position, no spare normal number).
void write_python(PickleWriter& out, uint64_t seed) {
  out.integer(3);
  out.mark();
  for (const uint32_t word : python_seeded(seed)) { out.integer(word); }
  out.integer(kTwisterWords);
  out.tuple_from_mark();
  out.none();
  out.tuple(3);
}

/// numpy.random.get_state(): ("MT19937", array of 624 uint32, position, has_gauss, cached_gaussian).
void write_numpy(PickleWriter& out, uint64_t seed) {
  const TwisterState words = numpy_seeded(static_cast<uint32_t>(seed));
  out.mark();
  out.string("MT19937");
  out.type("numpy._core.multiarray", "_reconstruct");
  out.type("numpy", "ndarray");
  out.integer(0);
  out.tuple(1);
  out.bytes("b");
  out.tuple(3);
  out.reduce();
  out.mark();  // the array's state: version, shape, type, Fortran order, bytes
  out.integer(1);
  out.integer(kTwisterWords);
  out.tuple(1);
  out.type("numpy", "dtype");
  out.string("u4");
  out.boolean(false);
  out.boolean(true);
  out.tuple(3);
  out.reduce();
  out.mark();
  out.integer(3);
  out.string("<");
  for (int i = 0; i < 3; ++i) { out.none(); }
  out.integer(-1);
  out.integer(-1);
  out.integer(0);
  out.tuple_from_mark();
  out.build();
  out.boolean(false);
  out.bytes({reinterpret_cast<const char*>(words.data()), words.size() * sizeof(uint32_t)});
  out.tuple_from_mark();
  out.build();
  out.integer(kTwisterWords);
  out.integer(0);
  out.real(0);
  out.tuple_from_mark();
}

[[noreturn]] void reject(const std::string& why) {
  throw Error(why);
}

/// The bytes of a tensor that torch.save described.
at::Tensor read_tensor(const PickleValue& value, const tensors::TorchArchive& archive) {
  using Kind = PickleValue::Kind;
  if (value.kind != Kind::object || value.type->text != "torch._utils._rebuild_tensor_v2" || value.items.empty() ||
      value.items.front()->kind != Kind::persistent) {
    reject("a state is no tensor");
  }
  const PickleValue& storage = *value.items.front()->items.front();
  if (storage.kind != Kind::tuple || storage.items.size() < 3 || storage.items[2]->kind != Kind::string) {
    reject("a tensor names no data");
  }
  const auto data = archive.data.find(storage.items[2]->text);
  if (data == archive.data.end()) { reject("the data of a tensor are missing"); }
  at::Tensor tensor = torch::empty({static_cast<int64_t>(data->second.size())}, at::kByte);
  std::copy(data->second.begin(), data->second.end(), static_cast<char*>(tensor.data_ptr()));
  return tensor;
}

RngState read_states(const PickleValue& root, const tensors::TorchArchive& archive) {
  if (root.kind != PickleValue::Kind::dict) { reject("it holds no dictionary"); }
  RngState state;
  for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
    const PickleValue& value = *root.items[i + 1];
    if (root.items[i]->text == "cpu") { state.cpu = read_tensor(value, archive); }
    if (root.items[i]->text != "cuda") { continue; }
    if (value.kind == PickleValue::Kind::list) {
      for (const PickleValue* item : value.items) { state.cuda.push_back(read_tensor(*item, archive)); }
    } else {
      state.cuda.push_back(read_tensor(value, archive));
    }
  }
  if (!state.cpu.defined()) { reject("it has no \"cpu\""); }
  const auto has_size = [](const at::Tensor& tensor, size_t bytes) {
    return static_cast<size_t>(tensor.numel()) == bytes;
  };
  if (!has_size(state.cpu, kCpuStateBytes)) { reject(str_cat("\"cpu\" has ", state.cpu.numel(), " bytes")); }
  for (const at::Tensor& gpu : state.cuda) {
    if (!has_size(gpu, kCudaStateBytes)) { reject(str_cat("\"cuda\" has ", gpu.numel(), " bytes")); }
  }
  return state;
}

}  // namespace

TwisterState numpy_seeded(uint32_t seed) {
  TwisterState words{};
  words[0] = seed;
  for (uint32_t i = 1; i < kTwisterWords; ++i) { words[i] = 1812433253U * (words[i - 1] ^ (words[i - 1] >> 30)) + i; }
  return words;
}

TwisterState python_seeded(uint64_t seed) {
  std::vector<uint32_t> key = {static_cast<uint32_t>(seed)};
  if (seed >> 32) { key.push_back(static_cast<uint32_t>(seed >> 32)); }
  TwisterState words = numpy_seeded(19650218U);
  size_t i = 1, j = 0;
  const auto advance = [&] {
    if (++i < kTwisterWords) { return; }
    words[0] = words[kTwisterWords - 1];
    i = 1;
  };
  const auto before = [&] { return words[i - 1] ^ (words[i - 1] >> 30); };
  for (size_t left = std::max(kTwisterWords, key.size()); left > 0; --left) {
    words[i] = (words[i] ^ (before() * 1664525U)) + key[j] + static_cast<uint32_t>(j);
    advance();
    if (++j >= key.size()) { j = 0; }
  }
  for (size_t left = kTwisterWords - 1; left > 0; --left) {
    words[i] = (words[i] ^ (before() * 1566083941U)) - static_cast<uint32_t>(i);
    advance();
  }
  words[0] = 0x80000000U;
  return words;
}

RngState current_rng_state(at::Device device) {
  RngState state{.cpu = at::detail::getDefaultCPUGenerator().get_state(), .cuda = {}};
  if (!device.is_cuda()) { return state; }
  for (int gpu = 0; gpu < static_cast<int>(at::getNumGPUs()); ++gpu) {
    const at::Device each(at::kCUDA, static_cast<c10::DeviceIndex>(gpu));
    state.cuda.push_back(at::globalContext().defaultGenerator(each).get_state());
  }
  return state;
}

void set_rng_state(const RngState& state, at::Device device) {
  if (at::Generator cpu = at::detail::getDefaultCPUGenerator(); state.cpu.defined()) { cpu.set_state(state.cpu); }
  if (!device.is_cuda() || state.cuda.empty()) { return; }
  // A run of one process keeps one GPU's state, others those of all GPUs of the host.
  const size_t index = state.cuda.size() == 1 ? 0 : static_cast<size_t>(device.index());
  if (index >= state.cuda.size()) { return; }
  at::Generator gpu = at::globalContext().defaultGenerator(device);
  gpu.set_state(state.cuda[index]);
}

std::string to_text(const RngState& state) {
  std::string text(static_cast<const char*>(state.cpu.const_data_ptr()), static_cast<size_t>(state.cpu.numel()));
  for (const at::Tensor& gpu : state.cuda) {
    text.append(static_cast<const char*>(gpu.const_data_ptr()), static_cast<size_t>(gpu.numel()));
  }
  return text;
}

RngState rng_state_from(const std::string& text) {
  size_t at = 0;
  const auto take = [&](size_t bytes) {
    at::Tensor tensor = torch::empty({static_cast<int64_t>(bytes)}, at::kByte);
    std::copy_n(text.data() + at, bytes, static_cast<char*>(tensor.data_ptr()));
    at += bytes;
    return tensor;
  };
  RngState state{.cpu = take(std::min(kCpuStateBytes, text.size())), .cuda = {}};
  while (at + kCudaStateBytes <= text.size()) { state.cuda.push_back(take(kCudaStateBytes)); }
  return state;
}

std::string rng_file_name(int64_t rank, int64_t world_size) {
  return world_size == 1 ? "rng_state.pth" : str_cat("rng_state_", rank, ".pth");
}

void save_rng_state(const std::filesystem::path& file, const RngState& state, uint64_t seed, int64_t world_size) {
  std::vector<at::Tensor> tensors;
  PickleWriter out(PickleWriter::Protocol::two);
  const auto tensor = [&](const at::Tensor& bytes) {
    write_tensor(out, bytes, tensors.size());
    tensors.push_back(bytes);
  };
  out.empty_dict();
  out.mark();
  out.string("python");
  write_python(out, seed);
  out.string("numpy");
  write_numpy(out, seed);
  out.string("cpu");
  tensor(state.cpu);
  if (!state.cuda.empty()) {
    out.string("cuda");
    if (world_size == 1) {
      tensor(state.cuda.front());
    } else {
      out.empty_list();
      out.mark();
      for (const at::Tensor& gpu : state.cuda) { tensor(gpu); }
      out.appends();
    }
  }
  out.set_items();
  tensors::write_torch_archive(file, out.finish(), tensors);
}

RngState load_rng_state(const std::filesystem::path& file) {
  const tensors::TorchArchive archive = tensors::read_torch_archive(file);
  try {
    return read_states(Pickle(archive.pickle).root(), archive);
  } catch (const Error& error) {
    throw Error(str_cat(file.string(), " is not a file of the Trainer's random states: ", error.what()));
  }
}

}  // namespace mdl::worker::training::checkpoint
