"""Segmentation that equals jieba 0.42.1 and is some eighty times as fast."""

from transforms.segmentation.dictionary import Dictionary, DictionaryError, dictionary_hash
from transforms.segmentation.segmenter import TOKENIZERS, Segmenter, Tokenizer, WordCounter

__all__ = ["TOKENIZERS", "Dictionary", "DictionaryError", "Segmenter", "Tokenizer", "WordCounter", "dictionary_hash"]
