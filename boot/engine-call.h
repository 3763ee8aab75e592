/*
 * Included into the engine's quickjs.c before its interpreter. The general call path serves every kind
 * of function and costs about 120 instructions before a native function sees its arguments; a shim's
 * own work is ten. This one serves plain native functions with all their arguments and leaves the rest
 * to the general path. Loops are still interruptible: the engine polls at their backward jumps.
 */
/* Of the comparisons (engine-edit.mjs). */
#define BOTH_ARE(a, b, tag) (JS_VALUE_GET_TAG(a) == (tag) && JS_VALUE_GET_TAG(b) == (tag))

static JSValue js_call_c_function(JSContext *ctx, JSValueConst func_obj, JSValueConst this_obj, int argc, JSValueConst *argv, int flags);

static inline BOOL is_plain(uint8_t prototype)
{
    return prototype == JS_CFUNC_generic || prototype == JS_CFUNC_constructor_or_func;
}

static inline __attribute__((always_inline)) JSValue engine_call(JSContext *context, JSValueConst function, JSValueConst self, JSValueConst new_target,
                                                                 int count, JSValue *arguments, int flags)
{
    if (JS_VALUE_GET_TAG(function) == JS_TAG_OBJECT) {
        JSObject *object = JS_VALUE_GET_OBJ(function);
        if (object->class_id == JS_CLASS_C_FUNCTION && is_plain(object->u.cfunc.cproto) && count >= object->u.cfunc.length) {
            /* Number(x), not new Number(x): that comes another way. */
            if (object->u.cfunc.cproto == JS_CFUNC_constructor_or_func)
                self = JS_UNDEFINED;
            JSRuntime *runtime = context->rt;
            if (unlikely(js_check_stack_overflow(runtime, 0)))
                return JS_ThrowStackOverflow(context);
            JSStackFrame frame;
            frame.prev_frame = runtime->current_stack_frame;
            frame.cur_func = (JSValue)function;
            frame.arg_buf = arguments;
            frame.arg_count = count;
            frame.js_mode = 0;
            runtime->current_stack_frame = &frame;
            JSValue result = object->u.cfunc.c_function.generic(object->u.cfunc.realm, self, count, (JSValueConst *)arguments);
            runtime->current_stack_frame = frame.prev_frame;
            return result;
        }
    }
    return JS_CallInternal(context, function, self, new_target, count, arguments, flags);
}

/* Elements of the typed arrays by which the kernel sees memory: in place, without the calls of the general way. */
static inline __attribute__((always_inline)) BOOL engine_get_element(JSContext *context, JSValueConst array, JSValueConst index, JSValue *value)
{
    if (JS_VALUE_GET_TAG(array) != JS_TAG_OBJECT || JS_VALUE_GET_TAG(index) != JS_TAG_INT)
        return FALSE;
    JSObject *object = JS_VALUE_GET_OBJ(array);
    uint32_t at = (uint32_t)JS_VALUE_GET_INT(index);
    switch (object->class_id) {
    case JS_CLASS_BIG_INT64_ARRAY:
        if (at >= object->u.array.count)
            return FALSE;
        *value = __JS_NewShortBigInt(context, object->u.array.u.int64_ptr[at]);
        return TRUE;
    case JS_CLASS_INT32_ARRAY:
        if (at >= object->u.array.count)
            return FALSE;
        *value = JS_NewInt32(context, object->u.array.u.int32_ptr[at]);
        return TRUE;
    case JS_CLASS_UINT8_ARRAY:
        if (at >= object->u.array.count)
            return FALSE;
        *value = JS_NewInt32(context, object->u.array.u.uint8_ptr[at]);
        return TRUE;
    default:
        return FALSE;
    }
}

static inline __attribute__((always_inline)) BOOL engine_set_element(JSValueConst array, JSValueConst index, JSValueConst value)
{
    if (JS_VALUE_GET_TAG(array) != JS_TAG_OBJECT || JS_VALUE_GET_TAG(index) != JS_TAG_INT)
        return FALSE;
    JSObject *object = JS_VALUE_GET_OBJ(array);
    uint32_t at = (uint32_t)JS_VALUE_GET_INT(index);
    switch (object->class_id) {
    case JS_CLASS_BIG_INT64_ARRAY:
        if (at >= object->u.array.count || JS_VALUE_GET_TAG(value) != JS_TAG_SHORT_BIG_INT)
            return FALSE;
        object->u.array.u.int64_ptr[at] = JS_VALUE_GET_SHORT_BIG_INT(value);
        return TRUE;
    case JS_CLASS_INT32_ARRAY:
        if (at >= object->u.array.count || JS_VALUE_GET_TAG(value) != JS_TAG_INT)
            return FALSE;
        object->u.array.u.int32_ptr[at] = JS_VALUE_GET_INT(value);
        return TRUE;
    case JS_CLASS_FLOAT64_ARRAY:
        if (at >= object->u.array.count)
            return FALSE;
        if (JS_VALUE_GET_TAG(value) == JS_TAG_INT)
            object->u.array.u.double_ptr[at] = JS_VALUE_GET_INT(value);
        else if (JS_TAG_IS_FLOAT64(JS_VALUE_GET_TAG(value)))
            object->u.array.u.double_ptr[at] = JS_VALUE_GET_FLOAT64(value);
        else
            return FALSE;
        return TRUE;
    default:
        return FALSE;
    }
}
