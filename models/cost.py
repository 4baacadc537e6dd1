"""What a training step costs: operations as model FLOP utilization counts them, and memory."""

from models.encoder_config import EncoderConfig


def matmul_parameters(config: EncoderConfig) -> int:
    """Weights that every token is multiplied with: kernels, once for each layer that uses them, shared or not.

    Tables that are looked up, biases and normalizations are none.

    >>> matmul_parameters(EncoderConfig())
    84934656
    """
    inner = config.hidden * config.heads * config.key_size
    logits = {
        "dot-product": 2 * config.hidden * config.key_heads * config.key_size,
        "talking-heads": 2 * config.hidden * config.key_heads * config.key_size,
        "synthesizer-dense": inner,
        "synthesizer-factorized-dense": inner + config.heads * config.key_size * sum(config.factors),
    }
    values = 2 * config.hidden * config.value_heads * config.head_size
    feed_forward = 2 * config.hidden * config.intermediate
    block = sum(logits.get(kind, 0) for kind in config.mixed) + values + feed_forward
    projected = config.embedding_size != config.hidden
    return config.layers * block + projected * config.embedding_size * config.hidden


def prediction_parameters(config: EncoderConfig) -> int:
    """Weights that each position is multiplied with whose token the masked language model predicts.

    >>> prediction_parameters(EncoderConfig())
    16816128
    """
    return config.embedding_size * (config.hidden + config.vocabulary_size)


def attention_products(config: EncoderConfig) -> int:
    """Multiplications for a pair of tokens, in all layers: of logits, of values, and of heads that are mixed.

    For dot products layers · heads · (key_size + head_size).

    >>> attention_products(EncoderConfig())
    18432
    """
    dot_product = config.key_heads * config.key_size
    logits = {
        "dot-product": dot_product,
        "talking-heads": dot_product + config.key_heads * config.heads,
        "synthesizer-dense": config.heads * config.key_size,
    }
    after = config.heads * config.value_heads if config.mix_after_softmax else 0
    values = config.value_heads * config.head_size
    return config.layers * (sum(logits.get(kind, 0) for kind in config.mixed) + after + values)


def training_flops(config: EncoderConfig, *, tokens: int, length: float, predictions: int = 0) -> float:
    """Operations of forward and backward pass over `tokens` tokens that are no padding.

    6 · matmul_parameters + 6 · attention_products · length a token, where 6 is 2 for a multiplication and an addition,
    once forward and twice backward; and 6 · prediction_parameters for each predicted position. Nothing that is computed
    again counts. length: tokens that a token attends to, on average over tokens; the length of the inputs where all are
    of one length.

    >>> training_flops(EncoderConfig(), tokens=1, length=512)
    566231040.0
    """
    a_token = matmul_parameters(config) + attention_products(config) * length
    return 6.0 * (a_token * tokens + prediction_parameters(config) * predictions)


def activation_bytes(config: EncoderConfig, *, tokens: int, length: int, predictions: int = 0, width: int = 4) -> int:
    """About how many bytes the backward pass needs of what the forward pass computed, padding included.

    tokens: of a batch, each of whose inputs has `length`. predictions: positions whose token is predicted. width: bytes
    of a number, 2 in bfloat16. Kept are the inputs of matrix products, normalizations and the activation, attention
    weights, and what was dropped of each; of rematerialized blocks only their inputs, and all of one block.

    >>> activation_bytes(EncoderConfig(), tokens=32 * 512, length=512) // 10**9
    20
    """
    hidden = config.hidden * (4 + 2 * (config.dropout > 0))
    queries_and_keys = 2 * config.key_heads * config.key_size * ("dot-product" in config.mixed)
    queries_and_keys += 2 * config.key_heads * config.key_size * (config.attention == "talking-heads")
    values = 2 * config.value_heads * config.head_size
    weights = config.heads * length * (1 + (config.attention_dropout > 0)) * len(config.mixed)
    block = hidden + queries_and_keys + values + 2 * config.intermediate + weights
    if config.rematerialize:
        states = config.layers * config.hidden + block
    else:
        states = config.layers * block
    logits = 3 * 4 * config.vocabulary_size  # as they are computed, in float32, and as probabilities
    return tokens * (states + 2 * config.hidden) * width + predictions * logits
