$M generate $F/TL --prompt 'Once upon a time' --max-new-tokens 8 --show-special-tokens
$M generate $F/TL --prompt 'Once upon a time' --max-new-tokens 8 --show-special-tokens --do-sample --temperature 1e-30
$M generate $F/TL --prompt 'Once upon a time' --max-new-tokens 8 --show-special-tokens --do-sample --temperature 1e-40
