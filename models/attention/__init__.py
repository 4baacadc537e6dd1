"""Self-attention of every kind behind one call, `SelfAttention`."""

from models.attention.self_attention import SelfAttention

__all__ = ["SelfAttention"]
