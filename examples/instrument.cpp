/* The software of an instrument, in C++: it loads a model once, then reads spectra as they are measured and says for each
 * what it holds, or why that cannot be said; and it notices when the instrument itself is in trouble.
 *
 *   instrument MODEL.xml [absorbance|reflectance|percent-reflectance] < SPECTRA
 *
 * The first line has "id" and the positions of the bands, each further one an id and the values, all with commas. The
 * bands may be others than the model's, as long as they cover them: then spectra are interpolated.
 *
 * What stands in namespace spectrum is all the C++ that the library needs: an owner for each kind of handle and an
 * exception with the library's words. C++11. */
#include <spectune.h>

#include <cmath>
#include <cstdint>
#include <deque>
#include <iostream>
#include <locale>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace spectrum {

template <typename T, void (*Free)(T *)> struct deleter {
    void operator()(T *handle) const noexcept { Free(handle); }
};
template <typename T, void (*Free)(T *)> using owner = std::unique_ptr<T, deleter<T, Free>>;

using context = owner<spt_ctx, spt_ctx_free>;
using dataset = owner<spt_dataset, spt_dataset_free>;
using model = owner<spt_model, spt_model_free>;
using predictor = owner<spt_predictor, spt_predictor_free>;

class error : public std::runtime_error {
public:
    error(int32_t status, const std::string &text) : std::runtime_error(text), status_(status) {}
    int32_t status() const noexcept { return status_; }

private:
    int32_t status_;
};

/* A negative status becomes an exception with the text of the context. */
inline void check(const context &ctx, int32_t status)
{
    if (status < 0) throw error(status, spt_ctx_last_error(ctx.get()));
}

inline context make_context()
{
    spt_ctx *ctx = nullptr;
    const int32_t status = spt_ctx_new(nullptr, &ctx);
    if (status < 0) throw error(status, spt_status_text(status));
    return context(ctx);
}

inline model read_model(const context &ctx, const std::string &path)
{
    spt_model *m = nullptr;
    check(ctx, spt_model_read(ctx.get(), path.c_str(), &m));
    return model(m);
}

inline predictor make_predictor(const context &ctx, const model &m)
{
    spt_predictor *p = nullptr;
    check(ctx, spt_predictor_new(ctx.get(), m.get(), &p));
    return predictor(p);
}

} // namespace spectrum

namespace {

/* A line of fields between commas; numbers have a point whatever the machine's locale says. */
std::vector<std::string> fields(const std::string &line)
{
    std::vector<std::string> out;
    std::istringstream in(line);
    for (std::string field; std::getline(in, field, ',');) {
        if (!field.empty() && field.back() == '\r') field.pop_back();
        out.push_back(field);
    }
    return out;
}

double number(const std::string &text)
{
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    double value = 0;
    if (!(in >> value) || !in.eof()) throw std::invalid_argument("'" + text + "' is not a number");
    return value;
}

std::vector<double> numbers(const std::vector<std::string> &line)
{
    std::vector<double> out;
    for (std::size_t i = 1; i < line.size(); i++)
        out.push_back(number(line[i]));
    return out;
}

/* Told of a spectrum that cannot be predicted. No exception may leave a callback of a C library. */
extern "C" int32_t keep_reason(int64_t, const char *reason, void *user)
{
    try {
        *static_cast<std::string *>(user) = reason;
        return SPT_OK;
    } catch (...) {
        return SPT_ENOMEM;
    }
}

class Station {
public:
    Station(const std::string &path, std::vector<double> axis, int32_t unit)
        : ctx_(spectrum::make_context()), model_(spectrum::read_model(ctx_, path)),
          predictor_(spectrum::make_predictor(ctx_, model_)), axis_(std::move(axis)), unit_(unit),
          values_(static_cast<std::size_t>(spt_model_targets(model_.get())))
    {
        const std::size_t bands = static_cast<std::size_t>(spt_model_bands(model_.get()));
        const double *raw = spt_model_axis(model_.get());
        same_axis_ = axis_.size() == bands;
        for (std::size_t i = 0; same_axis_ && i < bands; i++)
            same_axis_ = std::fabs(axis_[i] - raw[i]) <= 1e-9 * std::fabs(raw[i]);
        /* Unless told otherwise the instrument speaks as the model does. */
        if (unit_ == SPT_UNIT_UNKNOWN) unit_ = spt_model_unit(model_.get());
    }

    const char *target() const { return spt_model_target(model_.get()); }
    bool interpolates() const { return !same_axis_; }

    /* The value of one spectrum; an exception says why there is none. */
    double predict(const std::vector<double> &values)
    {
        if (values.size() != axis_.size())
            throw std::invalid_argument(std::to_string(values.size()) + " values, the instrument has " +
                                        std::to_string(axis_.size()) + " bands");
        if (same_axis_ && unit_ == spt_model_unit(model_.get())) {
            const int32_t status = spt_predictor_run(predictor_.get(), values.data(), static_cast<int64_t>(values.size()), values_.data(),
                                                     static_cast<int64_t>(values_.size()));
            if (status < 0) throw spectrum::error(status, spt_predictor_last_error(predictor_.get()));
            return values_[0];
        }
        return by_dataset(values);
    }

    /* Troubles of the instrument rather than of a sample; "" if there is none. */
    std::string watch(const std::vector<double> &values, double value)
    {
        std::string warning;
        if (values == last_) warning = "the same spectrum again: is the instrument frozen?";
        last_ = values;
        if (recent_.size() >= 8 && warning.empty()) {
            double mean = 0, square = 0;
            for (double v : recent_)
                mean += v / static_cast<double>(recent_.size());
            for (double v : recent_)
                square += (v - mean) * (v - mean) / static_cast<double>(recent_.size() - 1);
            if (std::fabs(value - mean) > 5 * std::sqrt(square)) warning = "far from the last samples";
        }
        recent_.push_back(value);
        if (recent_.size() > 50) recent_.pop_front();
        return warning;
    }

private:
    double by_dataset(const std::vector<double> &values)
    {
        spt_matrix view;
        spt_dataset *raw = nullptr;
        std::string reason;
        int64_t needed = 0;
        spt_record_init(&view, sizeof view);
        view.dtype = SPT_FLOAT64;
        view.data = values.data();
        view.rows = 1;
        view.cols = static_cast<int64_t>(values.size());
        spectrum::check(ctx_, spt_dataset_new(ctx_.get(), &view, axis_.data(), spt_model_axis_unit(model_.get()), unit_, 0, nullptr,
                                              nullptr, &raw));
        const spectrum::dataset one(raw);
        const int32_t status =
            spt_predictor_dataset(predictor_.get(), one.get(), same_axis_ ? SPT_PREDICT_EXACT : SPT_PREDICT_RESAMPLE, values_.data(),
                                  static_cast<int64_t>(values_.size()), &needed, keep_reason, &reason);
        if (status < 0) throw spectrum::error(status, spt_predictor_last_error(predictor_.get()));
        if (!reason.empty()) throw spectrum::error(SPT_EDATA, reason);
        return values_[0];
    }

    spectrum::context ctx_;
    spectrum::model model_;
    spectrum::predictor predictor_;
    std::vector<double> axis_;
    int32_t unit_;
    bool same_axis_;
    std::vector<double> values_, last_;
    std::deque<double> recent_;
};

int serve(const std::string &path, int32_t unit)
{
    std::string line;
    if (!std::getline(std::cin, line)) throw std::invalid_argument("no bands: the input is empty");
    Station station(path, numbers(fields(line)), unit);
    if (station.interpolates()) std::cerr << "instrument: its bands are not the model's; spectra are interpolated\n";
    std::cout.imbue(std::locale::classic());
    std::cout.precision(6);
    std::cout << "id," << station.target() << ",note\n";
    while (std::getline(std::cin, line)) {
        const std::vector<std::string> row = fields(line);
        if (row.empty()) continue;
        try {
            const std::vector<double> values = numbers(row);
            const double value = station.predict(values);
            std::cout << row[0] << ',' << value << ',' << station.watch(values, value) << std::endl;
        } catch (const spectrum::error &e) {
            if (e.status() != SPT_EDATA) throw; /* the next one would fare no better */
            std::cout << row[0] << ",," << e.what() << std::endl;
        } catch (const std::invalid_argument &e) {
            std::cout << row[0] << ",," << e.what() << std::endl;
        }
    }
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    const int32_t unit = argc == 3 ? spt_unit_from_name(argv[2]) : SPT_UNIT_UNKNOWN;
    if (argc < 2 || argc > 3 || unit < 0) {
        std::cerr << "usage: instrument MODEL.xml [absorbance|reflectance|percent-reflectance] < SPECTRA\n";
        return 2;
    }
    try {
        return serve(argv[1], unit);
    } catch (const std::exception &e) {
        std::cerr << "instrument: " << e.what() << '\n';
        return 1;
    }
}
