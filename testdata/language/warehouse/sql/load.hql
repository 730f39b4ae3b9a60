insert overwrite table mart.orders select * from ods.orders where dt = '${ds}'
