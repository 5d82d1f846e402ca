def mean_and_deviation(s):
    raise NotImplementedError
