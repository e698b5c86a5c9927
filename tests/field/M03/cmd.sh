$M eval model-mixtune-order --task mnli --data MNLI
$M eval model-other-order --task mnli --data MNLI
echo '{"premise":"the a is good","hypothesis":"the a is good"}' | $M predict model-mixtune-order --task mnli --input -
echo '{"premise":"the a is good","hypothesis":"the a is good"}' | $M predict model-other-order --task mnli --input -
