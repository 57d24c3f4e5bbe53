#include "worker/quantization/quantization.hpp"

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/quantization/bitsandbytes.hpp"
#include "worker/quantization/four_bit_weight.hpp"
#include "worker/quantization/int8_weight.hpp"

namespace mdl::worker::quantization {

std::string Quantization::name() const {
  if (kind == Kind::int8) { return "8bit"; }
  return str_cat("4bit ", kind == Kind::fp4 ? "fp4" : "nf4", double_quantization ? " double" : "");
}

std::optional<Quantization> parse_quantization(const std::optional<std::string>& bits,
                                               const std::optional<std::string>& type,
                                               const std::optional<bool>& double_quantization) {
  if (bits && *bits != "8bit" && *bits != "4bit") { cli::reject_choice("quantization", *bits, {"8bit", "4bit"}); }
  if (bits != "4bit" && (type || double_quantization)) {
    throw UsageError(str_cat(type ? "--quantization-type" : "--double-quantization", " needs --quantization 4bit"));
  }
  if (!bits) { return std::nullopt; }
  if (bits == "8bit") { return Quantization{Quantization::Kind::int8, false}; }
  if (type && *type != "fp4" && *type != "nf4") { cli::reject_choice("quantization-type", *type, {"fp4", "nf4"}); }
  return Quantization{type == "nf4" ? Quantization::Kind::nf4 : Quantization::Kind::fp4,
                      double_quantization.value_or(false)};
}

layers::Quantize make_quantizer(const Quantization& quantization, at::Device device) {
  if (quantization.kind == Quantization::Kind::int8) {
    return [](const at::Tensor& weight, at::Device place) -> c10::intrusive_ptr<layers::QuantizedWeight> {
      return Int8Weight::quantize(weight.to(place));
    };
  }
  Bitsandbytes::load(device.is_cuda());
  const FourBitType type = quantization.kind == Quantization::Kind::fp4 ? FourBitType::fp4 : FourBitType::nf4;
  return [type, doubly = quantization.double_quantization](
             const at::Tensor& weight, at::Device place) -> c10::intrusive_ptr<layers::QuantizedWeight> {
    return FourBitWeight::quantize(weight.to(place), type, doubly);
  };
}

}  // namespace mdl::worker::quantization
