cp -r $F/TB nb && $P $F/put_nan.py nb/model.safetensors encoder.layer.1.intermediate.dense.weight
cp -r $F/TL nt && $P $F/put_nan.py nt/model.safetensors model.layers.1.mlp.up_proj.weight
$M train lora classify model.path=$F/TB task.data=$F/C2.csv train.epochs=1 --output o
echo '{"text":"good a"}' | $M predict nb --adapter o/adapter --input -
$M eval nb --adapter o/adapter --data dev.csv
$M generate nt --prompt 'the tea' --max-new-tokens 4 --show-special-tokens
$M generate nt --prompt 'the tea' --max-new-tokens 4 --show-special-tokens --do-sample
$M generate nt --prompt 'the tea' --max-new-tokens 4 --show-special-tokens --num-beams 3
$M train lora classify model.path=nb task.data=$F/C2.csv train.epochs=1 --output q
