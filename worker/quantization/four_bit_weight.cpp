#include "worker/quantization/four_bit_weight.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "worker/quantization/bitsandbytes.hpp"
#include "worker/quantization/device_constant.hpp"

#ifdef MDL_WITH_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace mdl::worker::quantization {
namespace {

constexpr int64_t kBlock = 64;        ///< numbers that share a scale
constexpr int64_t kScaleBlock = 256;  ///< scales that share one themselves

at::Tensor make_nf4_values() {
  return torch::tensor(
      {-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0},
      at::kFloat);
}

at::Tensor make_fp4_values() {
  // Sign, two bits of exponent, one of fraction; scaled to a largest value of 1.
  const at::Tensor values = torch::tensor(
      {0.0, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0, 0.0, -0.0625, -8.0, -12.0, -4.0, -6.0, -2.0, -3.0}, at::kFloat);
  return values / values.abs().max();
}

/// The values of the 16 codes, in the order of the codes.
at::Tensor code_values(FourBitType type, at::Device device) {
  static auto* const nf4 = new DeviceConstant(make_nf4_values);  // CUDA may be gone when static objects end
  static auto* const fp4 = new DeviceConstant(make_fp4_values);
  return (type == FourBitType::nf4 ? nf4 : fp4)->on(device);
}

at::Tensor make_dynamic_type_values() {
  // A sign, zeros that count down the exponent, a one, and the fraction in the bits that are left: with each power of
  // ten there are twice as many values between 0.1 and 1 of it.
  constexpr int kPowers = 7;
  std::vector<float> values = {0.0F, 1.0F};
  for (int i = 0; i < kPowers; ++i) {
    const at::Tensor edges = torch::linspace(0.1, 1, (int64_t{1} << i) + 1, at::kFloat);
    const int64_t steps = edges.size(0) - 1;
    const at::Tensor middles = (edges.narrow(0, 0, steps) + edges.narrow(0, 1, steps)) / 2.0;
    const at::Tensor scaled = middles * std::pow(10.0, i - kPowers + 1);
    for (int64_t step = 0; step < steps; ++step) {
      const auto value = scaled[step].item<float>();
      values.push_back(value);
      values.push_back(-value);
    }
  }
  std::sort(values.begin(), values.end());
  return torch::tensor(values, at::kFloat);
}

int64_t blocks_of(int64_t numbers) {
  return (numbers + kBlock - 1) / kBlock;
}

struct Packed {
  at::Tensor codes, scales;
};

/// The CPU library has no function for this; these are the steps of the package's PyTorch code, on any device.
Packed pack_on_cpu(const at::Tensor& weight, FourBitType type) {
  const at::Tensor values = code_values(type, weight.device());
  const at::Tensor order = values.argsort();
  const at::Tensor sorted = values.index_select(0, order);
  const at::Tensor bounds = (sorted.narrow(0, 0, 15) + sorted.narrow(0, 1, 15)) / 2;

  at::Tensor numbers = weight.reshape({-1}).to(at::kFloat);
  const int64_t missing = blocks_of(numbers.numel()) * kBlock - numbers.numel();
  if (missing > 0) {
    numbers = at::constant_pad_nd(numbers, {0, missing});  // zeros change no block's largest magnitude
  }
  const at::Tensor blocks = numbers.view({-1, kBlock});
  const at::Tensor scales = std::get<0>(blocks.abs().max(1));
  const at::Tensor scaled = (blocks * scales.clamp_min(1e-38).reciprocal().unsqueeze(1)).clamp_(-1, 1).view({-1});
  const at::Tensor places = at::bucketize(scaled.narrow(0, 0, weight.numel()), bounds, /*out_int32=*/true);
  at::Tensor codes = (type == FourBitType::nf4 ? places : order.index_select(0, places)).to(at::kByte);
  if (codes.numel() % 2 != 0) {
    const at::Tensor zero = at::bucketize(at::zeros({1}, values.options()), bounds, /*out_int32=*/true);
    codes = at::cat({codes, (type == FourBitType::nf4 ? zero : order.index_select(0, zero)).to(at::kByte)});
  }
  const at::Tensor pairs = codes.view({-1, 2});
  return {pairs.select(1, 0).bitwise_left_shift(4).bitwise_or(pairs.select(1, 1)).contiguous(), scales};
}

std::string type_name(FourBitType type) {
  return type == FourBitType::fp4 ? "fp4" : "nf4";
}

std::string dtype_name(at::ScalarType dtype) {
  return dtype == at::kFloat ? "fp32" : "bf16";
}

/// On the CPU, and on a device whose memory is the host's.
at::Tensor unpack_on_cpu(const at::Tensor& codes, const at::Tensor& scales, int64_t rows, int64_t columns,
                         FourBitType type, at::ScalarType dtype) {
  // Version 0.50.2 takes the wrong scales where a row ends in the middle of a block (seen with 32, 48 and 240 columns
  // and AVX-512); MiDashengLM's layers have none such.
  if (columns % kBlock != 0) {
    const at::Tensor low = codes.bitwise_and(15), high = codes.bitwise_right_shift(4);
    const at::Tensor places = at::stack({high, low}, 1).view({-1}).narrow(0, 0, rows * columns).to(at::kInt);
    const at::Tensor each = scales.repeat_interleave(kBlock).narrow(0, 0, rows * columns);
    return (code_values(type, codes.device()).index_select(0, places) * each).view({rows, columns}).to(dtype);
  }
  using Unpack = void(const uint8_t*, const float*, void*, long long block, long long rows, long long columns);
  at::Tensor out = at::empty({rows, columns}, codes.options().dtype(dtype));
  Bitsandbytes::load(false).function<Unpack>("cdequantize_blockwise_cpu_" + type_name(type) + "_" + dtype_name(dtype))(
      codes.const_data_ptr<uint8_t>(), scales.const_data_ptr<float>(), out.data_ptr(), kBlock, rows, columns);
  return out;
}

#ifdef MDL_WITH_CUDA

Packed pack_on_gpu(const at::Tensor& weight, FourBitType type) {
  using Pack = void(const float* unused, const void*, float*, uint8_t*, int block, int numbers);
  const c10::cuda::CUDAGuard guard(weight.device());
  const int64_t numbers = weight.numel();
  Packed packed{at::empty({(numbers + 1) / 2}, weight.options().dtype(at::kByte)),
                at::empty({blocks_of(numbers)}, weight.options().dtype(at::kFloat))};
  // The library works on the default stream, as this program does everywhere but in collectives.
  Bitsandbytes::load(true).function<Pack>("cquantize_blockwise_" + dtype_name(weight.scalar_type()) + "_" +
                                          type_name(type))(
      nullptr, weight.const_data_ptr(), packed.scales.data_ptr<float>(), packed.codes.data_ptr<uint8_t>(),
      static_cast<int>(kBlock), static_cast<int>(numbers));
  return packed;
}

at::Tensor unpack_on_gpu(const at::Tensor& codes, const at::Tensor& scales, int64_t rows, int64_t columns,
                         FourBitType type, at::ScalarType dtype) {
  using Unpack = void(const float* unused, const uint8_t*, const float*, void*, int block, int numbers, cudaStream_t);
  const c10::cuda::CUDAGuard guard(codes.device());
  at::Tensor out = at::empty({rows, columns}, codes.options().dtype(dtype));
  Bitsandbytes::load(true).function<Unpack>("cdequantize_blockwise_" + dtype_name(dtype) + "_" + type_name(type))(
      nullptr, codes.const_data_ptr<uint8_t>(), scales.const_data_ptr<float>(), out.data_ptr(),
      static_cast<int>(kBlock), static_cast<int>(rows * columns), c10::cuda::getCurrentCUDAStream());
  return out;
}

#endif

/// float32 numbers [n] in the 8-bit dynamic type, and back.
struct Bytes {
  at::Tensor codes, scales;
};

Bytes to_bytes(const at::Tensor& numbers) {
  const at::Tensor values = dynamic_type_values(numbers.device());
  const int64_t count = numbers.numel();
  Bytes bytes{at::empty({count}, numbers.options().dtype(at::kByte)),
              at::empty({(count + kScaleBlock - 1) / kScaleBlock}, numbers.options())};
  const auto run = [&](auto* function, auto block, auto size) {
    function(values.const_data_ptr<float>(), numbers.const_data_ptr<float>(), bytes.scales.data_ptr<float>(),
             bytes.codes.data_ptr<uint8_t>(), block, size);
  };
  if (numbers.is_cuda()) {
    using Pack = void(const float*, const float*, float*, uint8_t*, int, int);
    run(Bitsandbytes::load(true).function<Pack>("cquantize_blockwise_fp32"), static_cast<int>(kScaleBlock),
        static_cast<int>(count));
  } else {
    using Pack = void(const float*, const float*, float*, uint8_t*, long long, long long);
    run(Bitsandbytes::load(false).function<Pack>("cquantize_blockwise_cpu_fp32"), static_cast<long long>(kScaleBlock),
        static_cast<long long>(count));
  }
  return bytes;
}

/// The multiplication is the library's too, but so small that it is not worth a call for each kind of device.
at::Tensor from_bytes(const Bytes& bytes) {
  const int64_t count = bytes.codes.numel();
  const at::Tensor values = dynamic_type_values(bytes.codes.device()).index_select(0, bytes.codes.to(at::kInt));
  return values * bytes.scales.repeat_interleave(kScaleBlock).narrow(0, 0, count);
}

}  // namespace

at::Tensor dynamic_type_values(at::Device device) {
  static auto* const values = new DeviceConstant(make_dynamic_type_values);
  return values->on(device);
}

c10::intrusive_ptr<FourBitWeight> FourBitWeight::quantize(const at::Tensor& weight, FourBitType type, bool doubly) {
  auto made = c10::make_intrusive<FourBitWeight>();
  made->rows_ = weight.size(0);
  made->columns_ = weight.size(1);
  made->type_ = type;
#ifdef MDL_WITH_CUDA
  const Packed packed = weight.is_cuda() ? pack_on_gpu(weight.contiguous(), type) : pack_on_cpu(weight, type);
#else
  const Packed packed = pack_on_cpu(weight, type);
#endif
  made->codes_ = packed.codes;
  made->scales_ = packed.scales;
  if (doubly) {
    made->scale_offset_ = packed.scales.mean();
    const Bytes bytes = to_bytes(packed.scales - made->scale_offset_);
    made->scales_ = bytes.codes;
    made->scale_scales_ = bytes.scales;
  }
  return made;
}

at::Tensor FourBitWeight::scales() const {
  return scale_scales_.defined() ? from_bytes({scales_, scale_scales_}).add_(scale_offset_) : scales_;
}

at::Tensor FourBitWeight::dequantized(at::ScalarType dtype) const {
#ifdef MDL_WITH_CUDA
  if (codes_.is_cuda()) { return unpack_on_gpu(codes_, scales(), rows_, columns_, type_, dtype); }
#endif
  return unpack_on_cpu(codes_, scales(), rows_, columns_, type_, dtype);
}

int64_t FourBitWeight::bytes() const {
  int64_t sum = 0;
  for (const at::Tensor& tensor : {codes_, scales_, scale_scales_, scale_offset_}) {
    if (tensor.defined()) { sum += static_cast<int64_t>(tensor.nbytes()); }
  }
  return sum;
}

}  // namespace mdl::worker::quantization
