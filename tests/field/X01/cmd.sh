$M check mola classify model.path=$F/TB task.data=$F/C2.csv method.top_k=1 method.num_experts=4
