#include "worker/formats/encoder_names.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/module_path.hpp"

namespace mdl::worker::formats {
namespace {

constexpr std::string_view kEncoder = "audio_encoder.";
constexpr const char* kAdvice =
    "Is the folder complete? A model of another architecture than MiDashengLM's 7B and 0.6B cannot be trained here.";

/// A module that could be a part of the encoder.
struct Candidate {
  std::string name;  ///< of the module, or of the tensor where the part is one
  ModulePath place;  ///< of the module that holds the part
  std::string called;
};

class Finder {
 public:
  Finder(const TensorShapes& tensors, bool two_branches) : two_branches_(two_branches) {
    for (const auto& [name, shape] : tensors) {
      if (name.starts_with(kEncoder)) { tensors_.emplace(name, shape); }
    }
  }

  EncoderNames find() {
    find_blocks();
    const std::vector<Candidate> convolutions = find_convolutions();
    two_branches_ =
        two_branches_ || convolutions.size() > 1 || (convolutions.size() == 1 && !is_projection(convolutions.front()));
    find_positions();
    find_batch_norm();
    take_convolutions(convolutions);
    take_norms(find_norms());
    find_frontends();
    if (two_branches_ && !missing_.empty()) { refuse_incomplete(); }
    return names_;
  }

 private:
  const std::vector<std::int64_t>* shape(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }

  bool has_vector(const std::string& name, std::int64_t size) const {
    const auto* found = shape(name);
    return found && *found == std::vector{size};
  }

  static bool is_projection(const Candidate& convolution) { return convolution.name.ends_with(".proj"); }

  /// The one with the least rank; several of that rank are an error.
  template <typename Rank>
  const Candidate* best(const std::vector<Candidate>& candidates, const char* what, const Rank& rank) const {
    if (candidates.empty()) { return nullptr; }
    const auto less = [&](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); };
    const Candidate& first = *std::ranges::min_element(candidates, less);
    std::string equal;
    for (const Candidate& other : candidates) {
      if (rank(other) == rank(first)) { equal += str_cat(equal.empty() ? "" : " or ", other.name); }
    }
    if (equal != first.name) { throw UsageError(str_cat("the audio encoder's ", what, " may be ", equal), kAdvice); }
    return &first;
  }

  void find_blocks() {
    constexpr std::string_view kEnd = ".attn.qkv.weight";
    std::set<std::string> stacks;
    for (const auto& [name, shape] : tensors_) {
      if (!name.ends_with(kEnd) || shape.size() != 2 || shape[0] % 3 != 0 || shape[0] / 3 != shape[1]) { continue; }
      const ModulePath block(name.substr(0, name.size() - kEnd.size()));
      if (!block.ends_in_number() || block.parent().last() != "blocks") { continue; }
      stacks.insert(block.parent().text());
      dim_ = shape[1];
    }
    if (stacks.size() > 1) {
      throw UsageError(str_cat("the audio encoder has several stacks of transformer blocks: ", *stacks.begin(), " and ",
                               *std::next(stacks.begin())),
                       kAdvice);
    }
    if (stacks.empty()) { return miss("the transformer blocks (blocks.N.attn.qkv.weight [3 · dim, dim])"); }
    home_ = ModulePath(*stacks.begin()).parent();
    for (std::string* name : {&names_.blocks, &names_.init_bn, &names_.patch_embed, &names_.norm,
                              &names_.time_pos_embed, &names_.freq_pos_embed, &names_.window, &names_.filters}) {
      *name = str_cat(home_.text(), ".", name->substr(kEncoder.size()));
    }
  }

  /// patch_embed.proj.weight or patch_embed.weight [dim, 1, bins, frames].
  std::vector<Candidate> find_convolutions() const {
    std::vector<Candidate> found;
    for (const auto& [name, shape] : tensors_) {
      if (!name.ends_with(".weight") || shape.size() != 4 || shape[1] != 1 || (dim_ && shape[0] != dim_)) { continue; }
      const ModulePath module = ModulePath(name).parent();
      const ModulePath embed = module.last() == "proj" ? module.parent() : module;
      if (!embed.last().ends_with("patch_embed")) { continue; }
      found.push_back({module.text(), embed.parent(), std::string(embed.last())});
    }
    return found;
  }

  /// norm.{weight,bias} [dim], but not those of the blocks.
  std::vector<Candidate> find_norms() const {
    std::vector<Candidate> found;
    for (const auto& [name, shape] : tensors_) {
      if (!name.ends_with("norm.weight") || shape.size() != 1 || (dim_ && shape[0] != dim_)) { continue; }
      const ModulePath module = ModulePath(name).parent();
      if (!has_vector(module.text() + ".bias", shape[0]) || module.text().starts_with(names_.blocks + ".")) {
        continue;
      }
      found.push_back({module.text(), module.parent(), std::string(module.last())});
    }
    return found;
  }

  /// How far a module lies from the Dasheng encoder's, and whether it has another name than its part.
  auto rank_at_home(const Candidate& candidate, std::string_view name) const {
    return std::tuple(candidate.place.steps_to(home_), candidate.called != name);
  }

  void find_positions() {
    for (const auto& [target, end, what] :
         {std::tuple(&names_.time_pos_embed, "time_pos_embed", "time_pos_embed [1, dim, 1, patches]"),
          std::tuple(&names_.freq_pos_embed, "freq_pos_embed", "freq_pos_embed [1, dim, 1, 1]")}) {
      std::vector<Candidate> found;
      for (const auto& [name, shape] : tensors_) {
        const ModulePath path(name);
        if (path.last() == end && shape.size() == 4 && shape[0] == 1 && shape[2] == 1) {
          found.push_back({name, path.parent(), end});
        }
      }
      take(*target, best(found, end, [&](const Candidate& c) { return rank_at_home(c, c.called); }), what);
    }
  }

  void find_batch_norm() {
    std::vector<Candidate> found;
    for (const auto& [name, shape] : tensors_) {
      if (!name.ends_with(".running_mean") || shape.size() != 1) { continue; }
      const ModulePath module = ModulePath(name).parent();
      const ModulePath named = module.ends_in_number() ? module.parent() : module;
      if (named.last() != "init_bn" || !has_vector(module.text() + ".running_var", shape[0])) { continue; }
      found.push_back({module.text(), named.parent(), "init_bn"});
    }
    take(names_.init_bn, best(found, "init_bn", [&](const Candidate& c) { return rank_at_home(c, c.called); }),
         "init_bn, a batch norm of the mel bins");
  }

  void take_convolutions(std::vector<Candidate> found) {
    constexpr const char* kSemantic = "patch_embed.proj.weight [dim, 1, bins, frames] of the Dasheng encoder";
    constexpr const char* kAcoustic = "patch_embed.weight [dim, 1, bins, frames] of the acoustic branch";
    const auto* bins = shape(names_.init_bn + ".running_mean");
    const auto rank = [&](const Candidate& c) {
      const bool other_bins = bins && shape(c.name + ".weight")->at(2) != bins->front();
      return std::tuple(other_bins, c.place.steps_to(home_), c.called != "patch_embed", !is_projection(c));
    };
    const bool lone_acoustic = two_branches_ && found.size() == 1 && !is_projection(found.front());
    take_from(found, names_.patch_embed, lone_acoustic ? nullptr : best(found, "patch_embed", rank), kSemantic);
    if (!two_branches_) { return; }
    AcousticNames& acoustic = names_.acoustic.emplace();
    take(acoustic.patch_embed, best(found, "acoustic patch_embed", rank), kAcoustic);
    if (found.empty()) { return; }
    if (!shape(acoustic.patch_embed + ".bias")) { miss("patch_embed.bias [dim] of the acoustic branch"); }
    const ModulePath path(acoustic.patch_embed);
    const ModulePath embed = path.last() == "proj" ? path.parent() : path;
    acoustic_home_ = embed.parent();
    const std::string_view called = embed.last();
    acoustic_prefix_ = called.substr(0, called.size() - std::string_view("patch_embed").size());
    for (std::string* name : {&acoustic.window, &acoustic.filters}) {
      *name = str_cat(acoustic_home_.text(), ".", name->substr(kEncoder.size()));
    }
  }

  void take_norms(std::vector<Candidate> found) {
    const auto semantic_rank = [&](const Candidate& c) { return rank_at_home(c, "norm"); };
    const auto acoustic_rank = [&](const Candidate& c) {
      return std::tuple(c.place.steps_to(acoustic_home_), c.called != acoustic_prefix_ + "norm");
    };
    const bool lone_acoustic =
        two_branches_ && found.size() == 1 && acoustic_rank(found.front()) < semantic_rank(found.front());
    take_from(found, names_.norm, lone_acoustic ? nullptr : best(found, "norm", semantic_rank),
              "norm.{weight,bias} [dim] of the Dasheng encoder");
    if (!two_branches_) { return; }
    take(names_.acoustic->norm, best(found, "acoustic norm", acoustic_rank),
         "norm.{weight,bias} [dim] of the acoustic branch");
  }

  /// Windows and filter banks: of each branch those of its number of mel bins, in one module with each other.
  void find_frontends() {
    std::vector<Candidate> filters, windows;
    for (const auto& [name, shape] : tensors_) {
      const ModulePath path(name);
      const bool old = name.ends_with(".mel_scale.fb") || name.ends_with(".spectrogram.window");
      const Candidate candidate{name, old ? path.parent().parent() : path.parent(), std::string(path.last())};
      if (shape.size() == 2 && (old || path.last().ends_with("melscale_fbanks"))) { filters.push_back(candidate); }
      if (shape.size() == 1 && (old || path.last().ends_with("spectrogram_window"))) { windows.push_back(candidate); }
    }
    find_frontend(names_.patch_embed, home_, filters, windows, names_.filters, names_.window);
    if (auto& acoustic = names_.acoustic) {
      find_frontend(acoustic->patch_embed, acoustic_home_, filters, windows, acoustic->filters, acoustic->window);
    }
  }

  void find_frontend(const std::string& convolution, const ModulePath& near, std::vector<Candidate>& filters,
                     std::vector<Candidate>& windows, std::string& filters_name, std::string& window_name) const {
    const auto* patch = shape(convolution + ".weight");
    if (!patch) { return; }
    const auto nearest = [&](const Candidate& c) { return c.place.steps_to(near); };
    std::vector<Candidate> fitting;
    std::ranges::copy_if(filters, std::back_inserter(fitting),
                         [&](const Candidate& c) { return shape(c.name)->at(1) == patch->at(2); });
    const Candidate* bank = best(fitting, "mel filter bank", nearest);
    if (!bank) { return; }
    filters_name = bank->name;
    std::vector<Candidate> beside;
    std::ranges::copy_if(windows, std::back_inserter(beside),
                         [&](const Candidate& c) { return c.place.text() == bank->place.text(); });
    std::erase_if(filters, [&](const Candidate& c) { return c.name == filters_name; });
    if (const Candidate* window = best(beside, "window", nearest)) { window_name = window->name; }
  }

  void take(std::string& target, const Candidate* found, const char* what) {
    if (found) {
      target = found->name;
    } else {
      miss(what);
    }
  }

  /// And leaves the others.
  void take_from(std::vector<Candidate>& candidates, std::string& target, const Candidate* found, const char* what) {
    take(target, found, what);
    if (found) {
      std::erase_if(candidates, [&](const Candidate& c) { return c.name == target; });
    }
  }

  void miss(const char* what) { missing_ += str_cat("\n    ", what); }

  [[noreturn]] void refuse_incomplete() const {
    throw UsageError(
        str_cat("the audio encoder has two branches, but not all of their tensors are below audio_encoder.:", missing_),
        kAdvice);
  }

  TensorShapes tensors_;
  bool two_branches_;
  std::int64_t dim_ = 0;  ///< 0 where there are no blocks to tell it
  ModulePath home_{std::string("audio_encoder")}, acoustic_home_{std::string("audio_encoder")};
  std::string acoustic_prefix_;
  std::string missing_;
  EncoderNames names_;
};

}  // namespace

EncoderNames find_encoder_names(const TensorShapes& tensors, bool two_branches) {
  return Finder(tensors, two_branches).find();
}

}  // namespace mdl::worker::formats
