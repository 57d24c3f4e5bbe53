"""Is a series of measurements flat? A straight line is fitted by least squares; what counts is how far it rises from end to end."""


def rise(points):
    """How much the fitted line rises between the first and the last x of [(x, y)]; needs three points."""
    count = len(points)
    if count < 3:
        raise ValueError(f"{count} points say nothing of a trend")
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return slope * (points[-1][0] - points[0][0])


def settled(points, part=0.2):
    """Without the first part of the rounds, in which buffers and pools reach their size."""
    begin = points[0][0] + part * (points[-1][0] - points[0][0])
    return [point for point in points if point[0] >= begin]
