"""The words that the published model was trained to meet, to the letter; odd breaks included."""

# ruff: noqa: RUF001 - full-width punctuation belongs to the words
from __future__ import annotations

IMAGE = "<|image_pad|>"

_SYSTEM = "<|im_start|>system\n{}<|im_end|>\n<|im_start|>user\n"
_ANSWER = "<|im_end|>\n<|im_start|>assistant\n"
_PICTURE = f"<|vision_start|>{IMAGE}<|vision_end|>"

PREFIX = _SYSTEM.format(
    "Describe the image by detailing the color, shape, size, texture, quantity, text, "
    "spatial relationships of the objects and background:"
)
PREFIX_TOKENS = 34
"""How many tokens the prefix makes: their embeddings say nothing of the picture and are dropped."""

TEMPLATE = PREFIX + "{}" + _ANSWER
"""What a prompt is put into before it is embedded."""

_ASSISTANT = _SYSTEM.format("You are a helpful assistant.")

CAPTION = {
    "en": _ASSISTANT + "# Image Annotator\n"
    "You are a professional\nimage annotator. "
    "Please write an image caption based on the input image:\n"
    "1. Write the caption using natural,\n"
    "descriptive language without structured formats or rich text.\n"
    "2. Enrich caption details by including: \n"
    " - Object\nattributes, such as quantity, color, shape, size, material, state, position, "
    "actions, and so on\n"
    " - Vision Relations\nbetween objects, such as spatial relations, functional relations, "
    "possessive relations, attachment relations, action\nrelations, comparative relations, "
    "causal relations, and so on\n"
    " - Environmental details, such as weather, lighting,\ncolors, textures, atmosphere, "
    "and so on\n"
    " - Identify the text clearly visible in the image, without translation or\nexplanation, "
    "and highlight it in the caption with quotation marks\n"
    "3. Maintain authenticity and accuracy:\n"
    " - Avoid\ngeneralizations\n"
    " - Describe all visible information in the image, while do not add information not "
    "explicitly shown in\nthe image\n" + _PICTURE + _ANSWER,
    "zh": _ASSISTANT + "# 图像标注器\n"
    "你是一个专业的图像标注器。请基于输入图像，撰写图注:\n"
    "1.\n使用自然、描述性的语言撰写图注，不要使用结构化形式或富文本形式。\n"
    "2. 通过加入以下内容，丰富图注细节：\n"
    " - 对象的属性：如数量、颜色、形状、大小、位置、材质、状态、动作等\n"
    " -\n对象间的视觉关系：如空间关系、功能关系、动作关系、从属关系、比较关系、因果关系等\n"
    " - 环境细节：例如天气、光照、颜色、纹理、气氛等\n"
    " - 文字内容：识别图像中清晰可见的文字，不做翻译和解释，用引号在图注中强调\n"
    "3.\n保持真实性与准确性：\n"
    " - 不要使用笼统的描述\n"
    " -\n描述图像中所有可见的信息，但不要加入没有在图像中出现的内容\n" + _PICTURE + _ANSWER,
}
"""What a picture is put into to be captioned, by language."""
