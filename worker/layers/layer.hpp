#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

namespace mdl::worker::layers {

/// Base of all layers. A layer is made on the meta device (shapes only, no memory); the loader then puts the
/// checkpoint's tensors into its slots. Nothing is initialised at random: 8 B parameters would take minutes.
/// torch::nn::Module serves for the tree of names and for train() and eval(). Its own registry of tensors stays empty,
/// since a tensor cannot be replaced there: ask tensor_slots(), not parameters().
class Layer : public torch::nn::Module {
 public:
  Layer() = default;
  Layer(const Layer&) = delete;  // slots point at members
  Layer& operator=(const Layer&) = delete;

  /// A place for one tensor of the checkpoint.
  struct Slot {
    std::string name;    ///< within its layer; may hold dots
    at::Tensor* tensor;  ///< the member that the layer computes with
    bool is_buffer;
    bool required;  ///< false: the layer has a value of its own when the checkpoint lacks it
  };

  /// Puts `value` into the slot `name` of this layer. Frozen: it requires no gradient.
  void set_tensor(const std::string& name, at::Tensor value);

  const std::vector<Slot>& slots() const { return slots_; }

 protected:
  /// Declares a frozen parameter; `member` becomes a meta tensor of this shape and type.
  void declare_parameter(at::Tensor& member, const std::string& name, at::IntArrayRef shape, at::ScalarType dtype);
  /// Declares a buffer. When `member` is already defined it keeps its value as the default, and the checkpoint may lack
  /// it.
  void declare_buffer(at::Tensor& member, const std::string& name, at::IntArrayRef shape, at::ScalarType dtype);
  /// Takes the slot `part_name` of `part`, which this layer owns and which is no module of the tree, as one of its own,
  /// called `name`: for a layer whose tensors lie apart in the checkpoint.
  void declare_slot_of(Layer& part, const std::string& part_name, const std::string& name);

 private:
  std::vector<Slot> slots_;
};

/// Registers `layer` at a dotted path below `root`. Modules on the way are made where they are not there.
void register_at(torch::nn::Module& root, const std::string& path, const std::shared_ptr<Layer>& layer);

/// A slot with the layer that owns it.
struct OwnedSlot {
  Layer* layer;
  Layer::Slot slot;       ///< name: within its layer
  std::string full_name;  ///< dotted name, as in the checkpoint
};

/// All slots below `root` in the order of registration, which is the order of Python's named_parameters().
std::vector<OwnedSlot> tensor_slots(torch::nn::Module& root);

}  // namespace mdl::worker::layers
