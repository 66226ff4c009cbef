"""Architecture numbers: LlmSpec, VisionSpec, CompressorSpec. No torch, no weights.

Two counts of LLM parameters are kept apart: `nominal_params`, the size in the model's name, enters the law; the exact
architecture enters the cost.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LlmSpec:
    """A dense decoder-only transformer, as its Hugging Face config describes it."""

    name: str
    family: str
    """Models trained alike at several sizes; a law speaks for one family."""
    model_type: str
    """Hugging Face model type ("qwen2", "llama", ...)."""
    nominal_params: float
    """Size in the model's name, in parameters."""
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    """Fewer than `num_heads` with grouped-query attention (GQA)."""
    head_dim: int
    vocab_size: int
    tied_embeddings: bool
    """Whether the output head is the input embedding."""
    gated_mlp: bool = True
    """Three matrices (SwiGLU, GeGLU) instead of two."""
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    head_bias: bool = False
    norm_params_per_layer: int = 0
    """Parameters of all norms in a layer, QK-norm included."""
    final_norm_params: int = 0
    hf_id: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    """What reading the architecture had to assume."""

    @property
    def attention_width(self) -> int:
        """Query heads x head dimension: the width of attention scores and mixes, in numbers per token."""
        return self.num_heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Key/value heads x head dimension."""
        return self.num_kv_heads * self.head_dim

    @property
    def mlp_matrices(self) -> int:
        """Matrices of a layer's MLP: gate, up and down, or up and down."""
        return 3 if self.gated_mlp else 2

    @property
    def linear_params(self) -> int:
        """Weights of all matrices in the decoder layers: what a token is multiplied with, the head left out."""
        attention = self.hidden_size * (2 * self.attention_width + 2 * self.kv_width)
        mlp = self.mlp_matrices * self.hidden_size * self.intermediate_size
        return self.num_layers * (attention + mlp)

    @property
    def lm_head_params(self) -> int:
        """Weights of the output head, tied or not."""
        return self.hidden_size * self.vocab_size

    @property
    def embedding_params(self) -> int:
        """Weights of the input embedding."""
        return self.hidden_size * self.vocab_size

    @property
    def params(self) -> int:
        """Exact count of distinct parameters, equal to that of the Hugging Face model."""
        biases = self.qkv_bias * (self.attention_width + 2 * self.kv_width) + self.o_bias * self.hidden_size
        biases += self.mlp_bias * (self.intermediate_size * (2 if self.gated_mlp else 1) + self.hidden_size)
        head = 0 if self.tied_embeddings else self.lm_head_params
        return (
            self.linear_params
            + self.num_layers * (biases + self.norm_params_per_layer)
            + self.final_norm_params
            + self.embedding_params
            + head
            + self.head_bias * self.vocab_size
        )

    @property
    def kv_values_per_token(self) -> int:
        """Numbers that one token leaves in the KV cache."""
        return 2 * self.num_layers * self.kv_width


@dataclass(frozen=True)
class VisionSpec:
    """A vision transformer over square patches (CLIP, SigLIP)."""

    name: str
    model_type: str
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    image_size: int
    """Side of the square input image, in pixels."""
    patch_size: int
    """Side of a patch, in pixels."""
    class_token: bool
    """Whether a class token runs along with the patches (CLIP)."""
    params: int = 0
    """Exact parameter count of the whole tower, 0 if unknown."""
    hf_id: str = ""
    """Repository on the Hugging Face hub, "" if there is none."""
    source: str = ""

    @property
    def grid_side(self) -> int:
        """Patches along one side."""
        return self.image_size // self.patch_size

    @property
    def patches(self) -> int:
        return self.grid_side**2

    @property
    def layers_run(self) -> int:
        """Layers up to the last one whose features are used: the second-last (LLaVA, QueCC)."""
        return self.num_layers - 1

    @property
    def params_run(self) -> int:
        """Parameters of the tower as it is built: layers that run and embeddings, no last norm, no pooling head.

        A layer: four projections and two MLP matrices with biases, two norms. CLIP has a class token, a norm before the
        layers and no bias in its patch embedding.
        """
        d, m = self.hidden_size, self.intermediate_size
        layer = 4 * (d * d + d) + 2 * d * m + m + d + 4 * d
        patch_embedding = 3 * self.patch_size**2 * d + (0 if self.class_token else d)
        positions = (self.patches + self.class_token) * d
        outer = (d + 2 * d) if self.class_token else 0
        return self.layers_run * layer + patch_embedding + positions + outer


@dataclass(frozen=True)
class CompressorSpec:
    """What stands between the vision tower and the LLM."""

    name: str
    title: str
    query_aware: bool
    """Whether it needs the LLM's last hidden state of the query: one more pass over the query's tokens."""
    strides: bool = True
    """Whether it merges stride x stride patches into one token; otherwise every patch is a token."""
    feature_layers: int = 1
    """Layers of the tower that it reads, concatenated."""
    heads: int = 8
    """Of its attention."""
    published_tokens_max: int | None = None
    """Most visual tokens with published results, None if the question does not arise."""

    def visual_tokens(self, vision: VisionSpec) -> tuple[int, ...]:
        """Admissible visual tokens per image, ascending: s x s with s dividing the tower's grid side."""
        side = vision.grid_side
        if not self.strides:
            return (side * side,)
        return tuple(s * s for s in range(1, side + 1) if side % s == 0)


COMPRESSORS: dict[str, CompressorSpec] = {
    spec.name: spec
    for spec in (
        CompressorSpec("quecc", "QueCC", query_aware=True, feature_layers=4, published_tokens_max=36),
        CompressorSpec("tokenpacker", "TokenPacker", query_aware=False, feature_layers=4),
        CompressorSpec("average-pool", "average pooling", query_aware=False),
        CompressorSpec("none", "no compressor (LLaVA-1.5's MLP)", query_aware=False, strides=False),
    )
}
"""Compressors whose cost is known, by name. QueCC: arXiv 2411.03312; TokenPacker: arXiv 2407.02392."""
