"""Turns texts and waveforms into the model's inputs (remote code of the reference checkpoints)."""

import numpy as np
from transformers import AutoProcessor
from transformers.feature_extraction_utils import BatchFeature
from transformers.processing_utils import ProcessorMixin

HOP = 160


class MiDashengLMProcessor(ProcessorMixin):
    # transformers 4 asks for these; transformers 5 takes them from the signature below.
    attributes = ["feature_extractor", "tokenizer"]
    feature_extractor_class = "Wav2Vec2FeatureExtractor"
    tokenizer_class = "AutoTokenizer"

    def __init__(
        self,
        feature_extractor,
        tokenizer,
        chat_template=None,
        model_subsampling=5,
        audio_token="<|AUDIO|>",
        audio_bos_token="<|audio_bos|>",
        audio_eos_token="<|audio_eos|>",
        **kwargs,
    ):
        self.model_subsampling = model_subsampling
        self.audio_token = audio_token
        self.audio_bos_token = audio_bos_token
        self.audio_eos_token = audio_eos_token
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template or tokenizer.chat_template)

    def tokens_for(self, samples):
        return max(1, (samples // HOP + 1) // 4 // self.model_subsampling)

    def __call__(self, text=None, audio=None, **kwargs):
        texts = [text] if isinstance(text, str) else list(text)
        features = {}
        if audio is not None:
            waves = [np.asarray(wave, dtype=np.float32) for wave in audio]
            features = dict(
                self.feature_extractor(
                    waves, sampling_rate=self.feature_extractor.sampling_rate, padding=True, return_attention_mask=True, return_tensors="pt"
                )
            )
            features["audio_length"] = features.pop("attention_mask").sum(dim=-1).long()
            lengths = iter(features["audio_length"].tolist())
            texts = [self.with_audio_tokens(t, lengths) for t in texts]
        passed_on = {key: kwargs[key] for key in ("add_special_tokens",) if key in kwargs}
        tokens = self.tokenizer(texts, padding=True, padding_side="left", return_tensors="pt", **passed_on)
        return BatchFeature({**tokens, **features})

    def with_audio_tokens(self, text, lengths):
        """Repeats each audio token of `text` as often as its clip needs."""
        before, *rest = text.split(self.audio_token)
        return before + "".join(self.audio_token * self.tokens_for(next(lengths)) + part for part in rest)


AutoProcessor.register("MiDashengLMProcessor", MiDashengLMProcessor)
