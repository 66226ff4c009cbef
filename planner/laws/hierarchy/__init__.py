"""A hierarchy over tasks, models and compressors, and the published measurements that it rests on."""
