"""Segmentation that equals jieba 0.42.1 and is forty times as fast and more."""

from transforms.segmentation.dictionary import Dictionary, DictionaryError, compiled_folder, dictionary_hash
from transforms.segmentation.segmenter import TOKENIZERS, Segmenter, Tokenizer, WordCounter

__all__ = [
    "TOKENIZERS",
    "Dictionary",
    "DictionaryError",
    "Segmenter",
    "Tokenizer",
    "WordCounter",
    "compiled_folder",
    "dictionary_hash",
]
