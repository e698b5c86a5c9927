$M generate model --prompt hello --max-new-tokens 4 --num-beams 3
echo '{"text":"hello hello"}' | $M predict model --task lm --input -
echo '{"premise":"the a is good","hypothesis":"the a is good"}' | $M predict classifier --task mnli --input -
